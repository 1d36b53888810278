"""`news run web`: the HTTP API, which feeds articles and reads what became of them."""

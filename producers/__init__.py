"""Sources become records on articles.raw: read, spooled on disk, then sent until the broker has acknowledged them."""

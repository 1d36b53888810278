"""Faust agents deduplicate and enrich; the pure work stands beside them."""

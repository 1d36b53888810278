"""Bytes that news comes in -> articles: pure, one format a file; nothing here fetches, waits or writes."""

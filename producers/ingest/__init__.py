"""What the HTTP API does with the spool: bodies become articles, articles rows, rows an answer. And the keys."""

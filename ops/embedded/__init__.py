"""A real Kafka broker and a real PostgreSQL, started from packages, for machines that have neither."""

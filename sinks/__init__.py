"""Records become rows in PostgreSQL."""

"""What is killed, and what must hold afterwards."""

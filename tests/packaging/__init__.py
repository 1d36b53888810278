"""The wheel and the sdist: what is in them, that they are the same each time, and that they run on their own."""

"""The whole journey, as a person takes it."""

"""Asking strangers: one guarded way to fetch what a URL leads to, and the manners to do it with."""

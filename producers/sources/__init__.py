"""The scheduler: polled sources, what is known of each, and when each is asked again."""

"""The shared vocabulary: records, identity, cleaning, topics, settings, errors, broker clients, logs, metrics."""

"""What bench/sink.py compares: the load, sinks that write flat rows, and a Kafka Connect worker."""

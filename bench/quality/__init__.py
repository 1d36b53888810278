"""Quality of the deduplication decision: labelled deliveries, and what the pipeline and its rivals make of them."""

-- Only for versions whose enrichment this transaction wrote: nothing can stand in the way.
COPY ingest.entities (
    delivery_id, entity, name, label, count, sentiment_label, sentiment_score, negative, neutral, positive, salience,
    aliases, register_id, evidence
) FROM STDIN

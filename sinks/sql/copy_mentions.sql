-- As copy_entities.
COPY ingest.mentions (
    delivery_id, entity, mention, text, start_offset, end_offset, raw_start, raw_end
) FROM STDIN

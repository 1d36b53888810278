-- A text never changes; its enrichment gives way to a newer generation only (of one generation, to the one made first).
INSERT INTO ingest.versions AS v (
    delivery_id, article_id, version_id, kind, copy_of, of_version, entities_of, observed_at, log_id, log_offset,
    decided_at, source, source_item_id, url, title, byline, declared_language, published_at, updated_at, notes, raw,
    text, removed, content_hash, generation, language, sentiment_label, sentiment_score, targets, models,
    enrich_reason, enriched_at, details
) VALUES (
    %(delivery_id)s, %(article_id)s, %(version_id)s, %(kind)s, %(copy_of)s, %(of_version)s, %(entities_of)s,
    %(observed_at)s, %(log_id)s, %(log_offset)s, %(decided_at)s, %(source)s, %(source_item_id)s, %(url)s, %(title)s,
    %(byline)s, %(declared_language)s, %(published_at)s, %(updated_at)s, %(notes)s, %(raw)s, %(text)s,
    %(removed)s::jsonb, %(content_hash)s, %(generation)s, %(language)s, %(sentiment_label)s, %(sentiment_score)s,
    %(targets)s::jsonb, %(models)s::jsonb, %(enrich_reason)s, %(enriched_at)s,
    %(details)s::jsonb
)
ON CONFLICT (delivery_id) DO UPDATE SET
    entities_of = excluded.entities_of,
    generation = excluded.generation,
    language = excluded.language,
    sentiment_label = excluded.sentiment_label,
    sentiment_score = excluded.sentiment_score,
    targets = excluded.targets,
    models = excluded.models,
    enrich_reason = excluded.enrich_reason,
    enriched_at = excluded.enriched_at
WHERE
    excluded.generation > coalesce(v.generation, -1)
    OR (excluded.generation = v.generation AND excluded.enriched_at < v.enriched_at)
RETURNING delivery_id

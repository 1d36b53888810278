-- A text never changes; its enrichment gives way to a newer generation only (of one generation, to the one made first).
-- Of an erased article nothing is stored: its row is locked by now, so nobody erases it before this commits.
-- Gives what was written, and whether it was there.
INSERT INTO ingest.versions AS v (
    delivery_id, article_id, version_id, kind, copy_of, of_version, entities_of, observed_at, log_id, log_offset,
    decided_at, source, source_item_id, url, title, byline, declared_language, published_at, updated_at, notes, raw,
    text, removed, content_hash, generation, language, sentiment_label, sentiment_score, targets, models,
    enrich_reason, enriched_at, details
)
SELECT
    delivery_id, article_id, version_id, kind, copy_of, of_version, entities_of, observed_at, log_id, log_offset,
    decided_at, source, source_item_id, url, title, byline, declared_language, published_at, updated_at, notes, raw,
    text, removed::jsonb, content_hash, generation, language, sentiment_label, sentiment_score, targets::jsonb,
    models::jsonb, enrich_reason, enriched_at, details::jsonb
FROM json_to_recordset(%(rows)s::json) AS n (
    delivery_id uuid, article_id uuid, version_id uuid, kind text, copy_of uuid, of_version uuid, entities_of uuid,
    observed_at timestamptz, log_id uuid, log_offset bigint, decided_at timestamptz, source text, source_item_id text,
    url text, title text, byline text, declared_language text, published_at timestamptz, updated_at timestamptz,
    notes text [], raw text, text text, removed text, content_hash text, generation integer, language text,
    sentiment_label text, sentiment_score double precision, targets text, models text, enrich_reason text,
    enriched_at timestamptz, details text
)
WHERE
    NOT EXISTS (
        SELECT FROM ingest.articles AS a WHERE a.article_id = n.article_id AND a.withdrawn = 'erased'
    )
    -- A late enrichment of a text that retention removed; decisions say so, and change under the article's lock alone.
    AND NOT EXISTS (
        SELECT FROM ingest.decisions AS d WHERE d.delivery_id = n.delivery_id AND d.retired = 'text'
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
RETURNING v.delivery_id, v.article_id, old.delivery_id IS NOT NULL AS was_there

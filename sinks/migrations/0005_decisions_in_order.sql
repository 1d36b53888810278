-- What judging an article anew looks for, without reading all that ever came of it: what the log said last before a
-- delivery, and the same text before it. The log's own redeliveries prove nothing and are left out.

CREATE INDEX decisions_in_order ON ingest.decisions (article_id, decided_at)
WHERE coalesce(log_kind, kind) <> 'redelivery';

CREATE INDEX decisions_version ON ingest.decisions (version_id, decided_at)
WHERE coalesce(log_kind, kind) <> 'redelivery';

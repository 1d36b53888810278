-- Names that are not registered, and what is new of those that are: seen earlier, or in another form. The others are
-- not even locked: the names of the day stand in every batch of every sink. `rows` is sorted by id.
INSERT INTO ingest.entity_register AS r (id, name, label, watch_id, first_seen_at, aliases)
SELECT n.id, n.name, n.label, n.watch_id, n.first_seen_at, n.aliases
FROM json_to_recordset(%(rows)s::json) AS n (
    id uuid, name text, label text, watch_id text, first_seen_at timestamptz, aliases text []
)
LEFT JOIN ingest.entity_register AS known ON known.id = n.id
WHERE
    known.id IS NULL
    OR n.first_seen_at < known.first_seen_at
    OR NOT n.aliases <@ known.aliases
ORDER BY n.id
ON CONFLICT (id) DO UPDATE SET
    first_seen_at = least(r.first_seen_at, excluded.first_seen_at),
    aliases = ARRAY(
        SELECT each.form
        FROM (SELECT unnest(r.aliases) AS form UNION SELECT unnest(excluded.aliases)) AS each
        ORDER BY length(each.form), each.form COLLATE "C"
        LIMIT 100
    )

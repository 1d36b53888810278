-- Each place where a name stands, with the words around it.
-- name: a name in any form, or a part of one; around: characters on each side.
\if :{?name} \else \set name 'Blinken' \endif
\if :{?around} \else \set around 40 \endif

SELECT
    a.title,
    m.start_offset,
    translate(
        substr(a.text, greatest(m.start_offset - :around, 0) + 1, least(m.start_offset, :around)), E'\n', ' '
    ) AS before,
    m.text AS words,
    translate(substr(a.text, m.end_offset + 1, :around), E'\n', ' ') AS behind
FROM news.mentions AS m
JOIN news.articles AS a ON a.article_id = m.article_id
WHERE m.register_id = ANY(ARRAY(SELECT register_id FROM news.find_names(:'name')))
ORDER BY a.first_seen_at DESC, a.article_id, m.start_offset
LIMIT 100;

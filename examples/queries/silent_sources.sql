-- Sources from which nothing has come for longer than usual: what the producer says of those that it polls, and the
-- others by their last delivery. days: how long is long for one whose rhythm is not known.
\if :{?days} \else \set days 2 \endif

SELECT
    source,
    state,
    alarm,
    last_seen_at,
    date_trunc('minute', now() - last_seen_at) AS silent_for,
    make_interval(secs => expected_gap_seconds) AS usual,
    reason
FROM news.sources
WHERE
    alarm IS NOT NULL
    OR state IN ('failing', 'gone')
    OR last_seen_at < now() - coalesce(make_interval(secs => expected_gap_seconds), make_interval(days => :days))
ORDER BY last_seen_at NULLS FIRST, source;

-- How much of what a source delivers stood elsewhere before. least: sources with fewer articles are left out.
\if :{?least} \else \set least 1 \endif

SELECT source, articles, copies, round(100.0 * copies / articles, 1) AS copy_percent
FROM news.sources
WHERE articles >= :least AND articles > 0
ORDER BY copy_percent DESC, articles DESC, source;

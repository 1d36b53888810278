-- Articles with certain words, best first, the words marked.
-- words: as one writes them into a search engine; most: how many.
\if :{?words} \else \set words 'coral reef' \endif
\if :{?most} \else \set most 20 \endif

SELECT round(score::numeric, 3) AS score, source, title, headline, copy_of IS NOT NULL AS is_copy
FROM news.search(:'words', "limit" => :most);

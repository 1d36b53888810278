-- In which languages each source writes, and how much of that the models could read.
SELECT
    source,
    coalesce(language, 'not known') AS language,
    count(*) AS articles,
    count(sentiment_label) AS with_sentiment
FROM news.articles
GROUP BY source, language
ORDER BY articles DESC, source, language;

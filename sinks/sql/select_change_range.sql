-- Which changes are kept: the smallest number and the greatest one.
SELECT oldest, last FROM ingest.change_counter

-- The number of the newest change that this snapshot shows; a reader of news.changes goes on from here.
SELECT last FROM news.change_range

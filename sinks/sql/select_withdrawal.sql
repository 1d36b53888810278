-- Whether an article was taken back, and why.
SELECT kind, reason, withdrawn_at FROM news.withdrawals WHERE article_id = %(article_id)s

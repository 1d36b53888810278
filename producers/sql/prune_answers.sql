-- Some of the answers that have expired: a few at each request, so that none has to wait for many.
DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE kept_at <= :until ORDER BY kept_at LIMIT 20);

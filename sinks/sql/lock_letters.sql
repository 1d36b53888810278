-- Nobody else stores dead letters until this transaction ends: see share_letters.sql.
LOCK TABLE ingest.dead_letters IN SHARE ROW EXCLUSIVE MODE

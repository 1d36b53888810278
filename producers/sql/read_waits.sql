-- Whether a record with one of these numbers waits.
SELECT EXISTS (SELECT 1 FROM records WHERE seq BETWEEN :first AND :last);

-- A page that could not be had for now; not if its entry has changed meanwhile.
UPDATE pages SET tries = tries + 1, next_try_at = :next_try_at WHERE id = :id AND entry = :entry;

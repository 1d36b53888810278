-- A record that the broker has.
DELETE FROM records WHERE seq = :seq;

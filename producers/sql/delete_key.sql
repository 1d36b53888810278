-- A key that is no more.
DELETE FROM keys WHERE name = :name;

-- A source that has long been removed from feeds.toml.
DELETE FROM sources WHERE name = :name;

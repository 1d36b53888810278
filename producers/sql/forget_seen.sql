-- All that was seen of a source.
DELETE FROM seen_entries WHERE source = :source;

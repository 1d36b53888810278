-- Poll a source as soon as its host allows it.
UPDATE sources SET poll_requested_at = :now WHERE name = :name;

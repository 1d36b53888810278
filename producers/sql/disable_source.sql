-- Poll a source no more, or again.
UPDATE sources SET disabled = :disabled, changed_at = :changed_at WHERE name = :name;

-- How far a reader is by now; no row where another process has moved it.
UPDATE topic_places SET next_offset = :next_offset
WHERE reader = :reader AND topic = :topic AND partition = :partition AND next_offset = :before;

-- A page that is done with; not if its entry has changed meanwhile.
DELETE FROM pages WHERE id = :id AND entry = :entry;

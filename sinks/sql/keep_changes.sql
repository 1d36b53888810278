-- Last, as this row is locked by each sink that appends: it is held until the commit that follows.
UPDATE ingest.change_counter SET oldest = greatest(oldest, %(keep)s)

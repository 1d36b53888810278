-- What an entry said when it was taken, and how often it has said something else since.
SELECT digest, seen_at, taken_at, changes FROM seen_entries WHERE source = :source AND key = :key;

-- The answer to a request; it takes the place of one that has expired.
INSERT OR REPLACE INTO answers (owner, key, fingerprint, answer, first_seq, last_seq, kept_at)
VALUES (:owner, :key, :fingerprint, :answer, :first_seq, :last_seq, :kept_at);

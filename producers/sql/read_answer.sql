-- The answer to a request that was kept before.
SELECT fingerprint, answer, first_seq, last_seq FROM answers WHERE owner = :owner AND key = :key AND kept_at > :since;

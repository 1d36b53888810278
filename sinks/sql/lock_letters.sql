-- Whoever stores dead letters shares this lock, whoever erases articles has it alone: so a dead letter of an article is
-- either there when that is erased, or stored by someone who sees that it was.
SELECT CASE
    WHEN %(alone)s THEN pg_advisory_xact_lock(7888347, 1)
    ELSE pg_advisory_xact_lock_shared(7888347, 1)
END

-- Whoever stores dead letters shares the table (their INSERT would take this lock too, but later than erasures may look),
-- whoever erases articles has it alone (lock_letters.sql): so a dead letter of an article is either there when that is
-- erased, or stored by someone who sees that it was. No advisory lock: any reader could take that, and keep it.
LOCK TABLE ingest.dead_letters IN ROW EXCLUSIVE MODE

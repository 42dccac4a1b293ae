-- Customers of `listed` whom the warehouse has, as after it was put back from an older copy. Only their hashes are
-- listed; the ids are those in the records.
-- needs: senders, listed, hash_of(), pattern_of()
-- gives: customers_to_erase

create temp table customers_to_erase as
select k.known_by as customer_id, l.customer_hash, l.forgotten_before, pattern_of(k.known_by) as pattern
from (select distinct known_by from senders where known_by is not null) k
join listed l on l.customer_hash = hash_of(l.salt, k.known_by);

-- A number that says whose orders are worth how much: of all of them together it is another one when a cent, or an order,
-- belongs to somebody else. Exact, and so are its sums: a batch's, a customer's, everybody's.
-- needs: nothing
-- gives: fingerprint_of()

create or replace temp macro fingerprint_of(customer_hash, net_amount, orders) as
    ((net_amount::decimal(38, 2) * 100)::hugeint + orders) * (customer_hash & 4294967295);

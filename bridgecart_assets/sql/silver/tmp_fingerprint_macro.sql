-- A number that says whose orders are worth how much: of all of them together it is another one when a cent, or an order,
-- belongs to somebody else. Exact, and so are its sums: a batch's, a customer's, everybody's.
-- needs: nothing
-- gives: fingerprint_of()

-- Cents are counted apart: the largest amount times 100 does not fit its type, and a wider one takes four times as long.
create or replace temp macro fingerprint_of(customer_hash, net_amount, orders) as
    (trunc(net_amount)::hugeint * 100 + (net_amount % 1 * 100)::bigint + orders) * (customer_hash & 4294967295);

-- Where the affected orders, and the refunds inside them, stand in silver's tables. They are looked for by their keys alone:
-- whole rows would be read of every order that there is, and are afterwards found by their places.
-- needs: affected_keys, refund_key_of(), silver.orders, silver.duplicate_orders, silver.conflicting_orders,
--     silver.superseded_orders, silver.order_lines
-- gives: affected_places, standing_rows

create temp table affected_places as
select rowid as place from silver.orders where order_key in (select order_key from affected_keys);

create temp table standing_rows as
with refunded as (
    select order_key, len(refunds) as number
    from silver.orders
    where rowid in (select place from affected_places) and refunds is not null
)
select 'orders' as stands_in, place from affected_places
union all
select 'orders', rowid from silver.orders
where order_key in (select refund_key_of(order_key, unnest(generate_series(1, number))) from refunded)
union all
select 'duplicate_orders', rowid from silver.duplicate_orders where order_key in (select order_key from affected_keys)
union all
select 'conflicting_orders', rowid from silver.conflicting_orders where order_key in (select order_key from affected_keys)
union all
select 'superseded_orders', rowid from silver.superseded_orders where order_key in (select order_key from affected_keys)
union all
select 'order_lines', rowid from silver.order_lines where order_key in (select order_key from affected_keys);

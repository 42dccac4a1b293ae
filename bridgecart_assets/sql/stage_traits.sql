-- The clustering traits, from sums that are exact (counts and DECIMAL), so that the same orders give the same bytes.
create temp macro log_orders_of(orders) as case when orders > 0 then ln(orders) end;
create temp macro log_order_value_of(orders, purchase_sales) as
    case when orders > 0 then ln(greatest(purchase_sales::double / orders, 0.01)) end;
create temp macro coupon_share_of(orders, coupon_orders, all_orders, all_coupon_orders) as
    case when orders > 0 then (3 * (all_coupon_orders::double / all_orders) + coupon_orders) / (3 + orders) end;

-- The distinct customers of the purchase model, of whom Python computes what they will buy. What a customer that is
-- alive will buy depends on little: one row a distinct customer of the model, not a person.
-- needs: levelled, gold.purchase_model
-- gives: rows for purchase_forecasts

with parameter as (
    -- Of each parameter: a constant, what spend and coupons add to its logarithm, their squares and their product.
    -- A text in every row is handed to Python sooner than a list.
    select version, r, alpha, a, b, season::varchar as season, coefficients[1:6] as of_r, coefficients[7:12] as of_alpha,
        coefficients[13:18] as of_a, coefficients[19:24] as of_b
    from gold.purchase_model
    where no_prediction_reason is null
),
lives as materialized (
    select distinct purchase_version, forecast_from, frequency, weeks, spend_level, coupon_level
    from levelled
    where frequency > 0
),
kinds as (
    select distinct purchase_version, spend_level as s, coupon_level as c
    from lives
),
of_kinds as (
    select
        k.*, m.season,
        list_value(1, s, c, s * s, c * c, s * c) as terms,
        case when of_r is null then m.r else exp(greatest(-12, least(12, list_inner_product(of_r, terms)))) end as r,
        case when of_r is null then m.alpha else exp(greatest(-12, least(12, list_inner_product(of_alpha, terms)))) end
            as alpha,
        case when of_r is null then m.a else exp(greatest(-12, least(12, list_inner_product(of_a, terms)))) end as a,
        case when of_r is null then m.b else exp(greatest(-12, least(12, list_inner_product(of_b, terms)))) end as b
    from kinds k
    join parameter m on m.version = k.purchase_version
)
select l.*, k.r, k.alpha, k.a, k.b, k.season
from lives l
join of_kinds k on k.purchase_version = l.purchase_version and k.s = l.spend_level and k.c = l.coupon_level

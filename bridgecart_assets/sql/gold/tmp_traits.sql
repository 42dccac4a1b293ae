-- Traits of every row of `to_score` under the model versions in force on its date: the latest that were by then, else
-- the first. So neither a refit nor its acceptance relabels the past. A segment's traits stay those of the purchase
-- model that it was fitted with.
-- needs: to_score, is_in_force(), gold.segment_model, gold.purchase_model, weeks_between(), log_purchase_rate_of(),
--     log_spend_of(), coupon_share_of()
-- gives: versions_in_force, traits_in_force, traits

create or replace temp table versions_in_force as
with dates as (
    select distinct as_of from to_score
),
segment_versions as (
    select distinct version, in_force_from, purchase_version from gold.segment_model where status = 'active'
),
segments as (
    select d.as_of, coalesce(max(v.version) filter (where v.in_force_from <= d.as_of), min(v.version)) as version
    from dates d cross join segment_versions v
    group by d.as_of
),
purchases as (
    select d.as_of, coalesce(max(v.version) filter (where v.in_force_from <= d.as_of), min(v.version)) as version
    from dates d left join gold.purchase_model v on true
    group by d.as_of
)
select
    p.as_of,
    s.version as segment_version,
    coalesce(v.purchase_version, p.version) as traits_version,
    p.version as purchase_version
from purchases p
left join segments s using (as_of)
left join segment_versions v on v.version = s.version;

create or replace temp table traits_in_force as
select v.as_of as decided_on, v.segment_version, v.purchase_version, m.* exclude (as_of)
from versions_in_force v
left join gold.purchase_model m on m.version = v.traits_version;

-- A view, so that ten million customers pass through and are never held; NULL for who never bought.
-- Every date has its models, and yet the joins are left ones: of inner ones DuckDB expects too few rows, takes the customers
-- for the smaller side, and may fail within (its issue 24807).
create or replace temp view traits as
select
    t.*, f.purchase_version,
    case when t.frequency > 0 then f.segment_version end as segment_version,
    weeks_between(t.first_purchased_on, t.as_of - 1) as weeks,
    case when t.frequency > 0 then {formula} end as {trait},
from to_score t
left join traits_in_force f on is_in_force(f.decided_on, t.as_of);

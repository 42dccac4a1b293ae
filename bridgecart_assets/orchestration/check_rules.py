"""Rules of the asset checks: what each promises, what to do when it is broken, and what its failure stops.

A rule is one SQL file, giving the rows that break it. A check blocks where whatever comes after it would tell something
false. What belongs elsewhere: how rules are evaluated (`checks.py`); what must never be stored at all, which is refused
in the write itself (`warehouse/writing.py`).
"""

from dataclasses import dataclass

import dagster as dg

from bridgecart_assets import contracts
from bridgecart_assets.contracts import Contract
from bridgecart_assets.contracts.event import SPELLED_IN_ORDERS

CONTRACT_CHECK = "keeps_its_contract"


@dataclass(frozen=True)
class Rule:
    """One check: `sql/checks/<name>.sql` of a table, what it promises, and what to do when it is broken.

    Attributes:
        also_reads: tables that must be written first, although the rule's own table is not made from them.
        counted_by: the column of the SQL that says how many rows a line of it stands for; None is one.
        looks_at: whose rows are looked at, of the batch where the table has batches; None is the rule's own table.
        limit: the setting that says which share of them may break the rule; None is not a single one.
        said_by: the column of the SQL that says in words what a line has found; None is the number of rows.
        asked_by: the SQL file of another rule, where both ask for the same rows.
        compares: its SQL gives figures side by side, also those that keep the rule, which count 0 rows and say nothing.

    """

    table: Contract
    name: str
    promise: str
    remedy: str
    blocking: bool = True
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    also_reads: tuple[Contract, ...] = ()
    counted_by: str | None = None
    said_by: str | None = None
    looks_at: Contract | None = None
    limit: str | None = None
    asked_by: str | None = None
    compares: bool = False

    @property
    def file(self) -> str:
        """Its SQL file."""
        return f"checks/{self.asked_by or self.name}"


WARN = dg.AssetCheckSeverity.WARN
REBUILD = "Materialize this asset again; if the check still fails, please report it with the rows shown."
STALE_SNAPSHOTS = (
    "Materialize customer_snapshots and this asset again, in one run: the snapshots are older than the orders."
)

RULES: tuple[Rule, ...] = (
    Rule(
        contracts.RAW_BATCHES,
        "raw_offsets_are_contiguous",
        "Each batch starts where the one before ended, in every Kafka partition.",
        "Records were skipped or read twice: stop the sensor and look at these batches before going on.",
    ),
    Rule(
        contracts.RAW_ORDERS,
        "raw_matches_ledger",
        "The batch's records lie within its offsets and are as many as the ledger says.",
        "Materialize this batch again: it reads exactly its offsets.",
    ),
    Rule(
        contracts.RAW_BATCHES,
        "raw_has_no_gaps",
        "The batch has a record for every offset.",
        "Normal for topics with transactions or compaction; elsewhere ask who deleted the records.",
        blocking=False,
        severity=WARN,
        counted_by="missing",
        looks_at=contracts.RAW_ORDERS,
    ),
    Rule(
        contracts.RAW_BATCHES,
        "raw_lost_nothing",
        "No record was removed from the topic before a batch had read it.",
        "Ask the source for these orders again, and raise the topic's retention.ms.",
        blocking=False,
        severity=WARN,
        counted_by="records",
        looks_at=contracts.RAW_ORDERS,
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_reconciles_with_raw",
        "Every record of the batch stands in one table: raw = orders + lines + duplicates + conflicting + superseded + "
        "skipped + rejected. Refunds inside orders are no records, and are not counted.",
        "Materialize silver of this batch again.",
        looks_at=contracts.RAW_ORDERS,
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_orders_are_unique",
        "No order stands twice.",
        "Materialize silver of this batch again; the keys shown stand more than once.",
        counted_by="copies",
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_sums_tie_to_orders",
        "The sums of the batch (silver.batch_sums) are those of its orders, day by day.",
        "Materialize silver of this batch again: it counts the orders anew.",
    ),
    Rule(
        contracts.SILVER_DUPLICATES,
        "silver_duplicates_have_a_winner",
        "For every event beside the orders the event that counts stands.",
        "Materialize silver of this batch again.",
    ),
    Rule(
        contracts.SILVER_DUPLICATES,
        "silver_duplicates_are_copies",
        "Events that count as duplicates can be told from orders of their own, by an order id or the time of day.",
        "Where a customer bought the same twice on a day, money is missing: let the source send an order id, or the "
        "time of the purchase. What was sent twice may stay.",
        blocking=False,
        severity=WARN,
        counted_by="events",
        looks_at=contracts.SILVER_ORDERS,
        said_by="says",
    ),
    Rule(
        contracts.SILVER_DUPLICATES,
        "silver_order_ids_are_unmistakable",
        "No order id has several customers, and none was sent again with another time. A run that follows changes "
        "compares the orders of the last month, one with `--full` all (order_ids_are_unmistakable).",
        "Nothing is lost: the orders of several customers all count, and an order that was sent again counts once. Ask "
        "the source if that is meant.",
        blocking=False,
        severity=WARN,
        counted_by="events",
        looks_at=contracts.SILVER_ORDERS,
    ),
    Rule(
        contracts.SILVER_SUPERSEDED,
        "versions_do_not_go_back",
        "No state of an order has a lower version than another that was said more than three days before it, unless it "
        "only comes again.",
        "These states do not count. Where a database moved and its numbers began again, let the version of the mapping "
        "add a large number to those from after it, then run `bridgecart run --remap`.",
        blocking=False,
        severity=WARN,
    ),
    Rule(
        contracts.SILVER_LINES,
        "silver_lines_add_up",
        "An order of several lines is their sum, to the cent.",
        "Materialize silver of this batch again.",
    ),
    Rule(
        contracts.SILVER_CONFLICTS,
        "silver_orders_do_not_conflict",
        "Events of one order say the same.",
        "The first of each order counts, the others stand in silver.conflicting_orders. Set BRIDGECART_ORDER_EVENTS, "
        "then run `bridgecart run --remap`.",
        blocking=False,
        counted_by="events",
        said_by="says",
        looks_at=contracts.SILVER_ORDERS,
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_spellings_are_known",
        f"Values of {' and '.join(SPELLED_IN_ORDERS)} have canonical spellings.",
        "Orders stand with the source's spelling, and count. Where two spellings mean one thing, a mapping makes them "
        "one (docs/mapping.md).",
        blocking=False,
        severity=WARN,
        counted_by="orders",
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_optional_fields_are_good",
        "The share of optional fields that were wrong, and count as missing, is below BRIDGECART_MAX_IGNORED_SHARE of "
        "the orders.",
        "The orders count; these fields are NULL. Where it is discount_amount, its order counts without a discount: "
        "sales are too high. Mend the source, or the contract, then materialize silver of this batch again.",
        blocking=False,
        severity=WARN,
        counted_by="fields",
        said_by="says",
        limit="max_ignored_share",
    ),
    Rule(
        contracts.SILVER_ORDERS,
        "silver_meaning_is_known",
        "No field outside the contract looks like part of what an event means, and none says a currency while "
        "BRIDGECART_CURRENCY is unset.",
        "Such orders count whatever these fields say. Where it is currency, set BRIDGECART_CURRENCY: orders in another "
        "are rejected then. Keep other events, as cancelled or test orders, out of the topic, or add the field to "
        "contracts/event.py; then materialize silver of this batch again.",
        blocking=False,
        severity=WARN,
        counted_by="records",
        looks_at=contracts.RAW_ORDERS,
    ),
    Rule(
        contracts.SILVER_REJECTS,
        "silver_reject_share_is_low",
        "The share of rejected records is below BRIDGECART_MAX_REJECT_SHARE.",
        "The payloads stand in silver.rejected_orders. Mend the source or the contract.",
        blocking=False,
        severity=WARN,
        counted_by="rejected",
        said_by="says",
        looks_at=contracts.RAW_ORDERS,
        limit="max_reject_share",
    ),
    Rule(
        contracts.SILVER_REJECTS,
        "silver_reject_share_is_bearable",
        "The share of rejected records is below BRIDGECART_ERROR_REJECT_SHARE.",
        "Most of the batch is no order. Mend the source or the contract, then materialize silver of this batch again.",
        blocking=False,
        counted_by="rejected",
        said_by="says",
        looks_at=contracts.RAW_ORDERS,
        limit="error_reject_share",
        asked_by="silver_reject_share_is_low",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "customers_match_orders",
        "There is one customer row for every customer with an order.",
        REBUILD,
        counted_by="customers",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "sums_tie_to_orders",
        "The sums of every batch (silver.batch_sums), to which all tables are held, are those of its orders, day by "
        "day. A run that follows changes looks at its batch alone, one with `--full` at all.",
        "Rows of silver.orders are others than they were when they were written: run `bridgecart run --remap`, which "
        "reads every batch from raw again.",
        also_reads=(contracts.SILVER_ORDERS,),
        looks_at=contracts.SILVER_ORDERS,
        asked_by="silver_sums_tie_to_orders",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "order_ids_are_unmistakable",
        "Of all orders that ever were, no id has several customers, and none was sent again with another time. Only a "
        "run with `--full` looks.",
        "Nothing is lost: the orders of several customers all count, and an order that was sent again counts once. Ask "
        "the source if that is meant.",
        blocking=False,
        severity=WARN,
        also_reads=(contracts.SILVER_ORDERS, contracts.SILVER_DUPLICATES),
        counted_by="events",
        looks_at=contracts.SILVER_ORDERS,
        asked_by="silver_order_ids_are_unmistakable",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "batches_are_read_alike",
        "Every batch was read from raw with the settings and by the rules of now.",
        "The figures mix both readings as soon as a batch comes in: run `bridgecart run --remap`, which reads every "
        "batch from raw again, or set back what was changed.",
        blocking=False,
        also_reads=(contracts.RAW_BATCHES, contracts.SILVER_READINGS),
        counted_by="batches",
        looks_at=contracts.RAW_BATCHES,
        said_by="says",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "mapping_is_one",
        "Every batch of the topic was read by the mapping of now (BRIDGECART_MAPPING).",
        "The figures mix both readings. Run `bridgecart run --remap`, which reads every batch from raw again by the "
        "mapping of now, or set back the one before.",
        blocking=False,
        severity=WARN,
        also_reads=(contracts.RAW_BATCHES, contracts.SILVER_READINGS),
        counted_by="batches",
        looks_at=contracts.RAW_BATCHES,
        said_by="says",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "no_date_is_lonely",
        "No few orders are dated more than a year before all others, or after them.",
        "Such dates make empty periods, and one that is ahead makes everybody else dormant. Orders that are wrong can "
        "be taken back: `bridgecart withdraw ORDER_ID --reason TEXT`; order_ids has the first. What is right may stay.",
        blocking=False,
        severity=WARN,
        counted_by="orders",
        looks_at=contracts.SILVER_ORDERS,
        said_by="says",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "amounts_keep_their_unit",
        "The mean order of a month with 30 purchases is less than 20 times that of the months before, and more than a "
        "twentieth.",
        "Amounts may have come in another unit or currency, as cents. A mapping can tell both apart (docs/mapping.md); "
        "then run `bridgecart run --remap`. What is right may stay.",
        blocking=False,
        severity=WARN,
        looks_at=contracts.SILVER_ORDERS,
        said_by="says",
    ),
    Rule(
        contracts.SILVER_CUSTOMERS,
        "customer_ids_are_unmistakable",
        "No customer's id is that of another one but for capital letters or leading zeros. A run that follows changes "
        "looks at the customers who ordered, one with `--full` at all.",
        "Each spelling is a customer of its own, with a part of the orders. A mapping can make them one, as by "
        "lower(value.customer_id) (docs/mapping.md); then run `bridgecart run --remap`. What is right may stay.",
        blocking=False,
        severity=WARN,
        counted_by="customers",
        said_by="says",
    ),
    Rule(
        contracts.CUSTOMER_FEATURES,
        "features_tie_to_orders",
        "Net sales and purchases of all customers are those of the orders, to the cent.",
        REBUILD,
    ),
    Rule(
        contracts.CUSTOMER_FEATURES,
        "no_customer_stands_for_many",
        "No customer id is a word for nobody, as guest or null, and of a hundred customers or more none has a tenth of "
        "all orders.",
        "Sales are right, but many people count as one customer, whose segment, churn and value are nobody's. Let the "
        "source give each an id, as a hash of the e-mail address. What is right may stay.",
        blocking=False,
        severity=WARN,
        said_by="says",
    ),
    Rule(
        contracts.CUSTOMER_FEATURES,
        "no_amount_is_lonely",
        "No few customers spent a hundred times as much on a day as all others ever did.",
        "Orders that are wrong can be taken back: `bridgecart withdraw ORDER_ID --reason TEXT`; order_ids has the "
        "largest. What is right may stay.",
        blocking=False,
        severity=WARN,
        also_reads=(contracts.SILVER_ORDERS,),
        counted_by="customers",
        said_by="says",
    ),
    Rule(
        contracts.SEGMENT_MODEL,
        "model_keys_are_unique",
        "Within a version every key and name stands once, and segment sizes add up.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_MODEL,
        "model_is_settled",
        "No version waits for a person: segments kept their meaning at the last refit.",
        "Compare old and new segments in the asset's metadata, then run `bridgecart run --accept-model`; "
        "until then the version before stays in force.",
        blocking=False,
    ),
    Rule(
        contracts.CUSTOMER_SEGMENTS,
        "customers_are_in_one_segment",
        "Every customer is in exactly one segment.",
        REBUILD,
        counted_by="customers",
    ),
    Rule(
        contracts.SEGMENT_DRIFT,
        "segments_have_not_drifted",
        "Customers are still like those that the segments in force were fitted to.",
        "A version fitted since then waits for you: compare it with the segments in force in the metadata of "
        "gold/segment_model, then run `bridgecart run --accept-model`; or run `bridgecart run --refit` to fit anew.",
        blocking=False,
        severity=WARN,
    ),
    Rule(
        contracts.CUSTOMER_SNAPSHOTS,
        "predictions_came_true",
        "In the latest churn window that is over, sales of every segment were as expected at its opening, but for "
        "BRIDGECART_MAX_PREDICTION_ERROR and for chance. Of more customers than 200,000 a batch run compares a fixed "
        "share.",
        "Customers are not what the model takes them for, or no longer: look at the models that gold/purchase_model "
        "compares, then run `bridgecart run --refit`. Where in_hindsight is true the model knew these orders already.",
        blocking=False,
        severity=WARN,
        counted_by="customers_off",
        said_by="says",
        compares=True,
    ),
    Rule(
        contracts.CUSTOMER_SNAPSHOTS,
        "flows_tie_to_customers",
        "Flows of the open period say the same customers and value of each segment as the customers of its opening and "
        "of now do, to the cent.",
        "Materialize customer_segments and customer_snapshots again, in one run.",
        also_reads=(contracts.CUSTOMER_SEGMENTS,),
    ),
    Rule(
        contracts.SEGMENT_MEMBERSHIP,
        "membership_has_one_current_row",
        "Every customer of now has one current row, and nobody else has a history.",
        "Materialize customer_segments, customer_snapshots and this asset again, in one run.",
        also_reads=(contracts.CUSTOMER_SEGMENTS,),
        counted_by="customers",
    ),
    Rule(
        contracts.SEGMENT_MEMBERSHIP,
        "membership_intervals_are_contiguous",
        "A customer's intervals neither overlap nor leave gaps, and two in a row are in two segments.",
        REBUILD,
        counted_by="intervals",
    ),
    Rule(
        contracts.SEGMENT_MEMBERSHIP,
        "membership_intervals_are_closed_open",
        "An interval begins before it ends.",
        REBUILD,
        counted_by="intervals",
    ),
    Rule(
        contracts.CLV_GROWTH,
        "clv_bridge_closes",
        "opening + organic + migrated in - migrated out + new - removed = closing, to the cent.",
        REBUILD,
    ),
    Rule(
        contracts.CLV_GROWTH,
        "clv_closes_into_next_opening",
        "A segment is worth at a period's opening what it was worth at the close before, and what was erased since.",
        STALE_SNAPSHOTS,
    ),
    Rule(
        contracts.CLV_GROWTH,
        "clv_ties_to_orders",
        "The value of all segments at the last close is the net sales of all orders, to the cent.",
        STALE_SNAPSHOTS,
    ),
    Rule(
        contracts.CHURN_RATE,
        "churn_is_consistent",
        "Churned <= active <= customers, rates within 0 and 1, and every missing rate has its reason.",
        REBUILD,
    ),
    Rule(
        contracts.CHURN_RATE,
        "buyers_have_not_churned",
        "Nobody who bought in a period has churned in it: KPI 2 and KPI 3 speak of the same purchases.",
        "Materialize customer_snapshots and the KPI tables again, in one run.",
    ),
    Rule(
        contracts.AVERAGE_ORDER_VALUE,
        "order_values_tie_to_orders",
        "Purchases and their sales over all segments and periods are those of silver.orders, to the cent.",
        REBUILD,
    ),
    Rule(
        contracts.SALES_CONTRIBUTION,
        "contributions_sum_to_one",
        "The contributions of a period sum to exactly 1, by segments at the opening and at the close.",
        REBUILD,
    ),
    Rule(
        contracts.SALES_CONTRIBUTION,
        "kpi_sales_tie_to_orders",
        "Net sales over all segments and periods are those of silver.orders, to the cent.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_METRICS_HISTORY,
        "metrics_have_one_current_row",
        "Every segment has one current row.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_METRICS_HISTORY,
        "metrics_intervals_are_contiguous",
        "A segment's intervals neither overlap nor leave gaps, and two in a row differ.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_METRICS_HISTORY,
        "metrics_intervals_are_closed_open",
        "An interval begins before it ends, and is current exactly while it has no end.",
        REBUILD,
    ),
    Rule(
        contracts.SEGMENT_METRICS_HISTORY,
        "metrics_agree_with_kpis",
        "The figures of every period stand in the interval that holds it, and every interval begins with a period.",
        "Materialize the KPI tables and this asset again, in one run.",
    ),
)


def rules_of(table: Contract) -> list[Rule]:
    """All rules of a table, that of its contract first."""
    return [_contract_rule(table), *(rule for rule in RULES if rule.table == table)]


def _contract_rule(table: Contract) -> Rule:
    return Rule(
        table,
        CONTRACT_CHECK,
        f"The table has the columns of its contract, and ({', '.join(table.key)}) is unique.",
        REBUILD,
        counted_by="copies",
    )

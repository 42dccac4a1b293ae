"""A new field of the event, by the recipe of CONTRIBUTING: two files of the package, and it is seen everywhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import BESIDE_ORDERS, SILVER_ORDERS
from bridgecart_assets.contracts.event import EVENT
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.recipes import ProjectCopy
from bridgecart_assets_tests.support.records import Record, event, store_batch

END_OF_FIELDS = ')\n"""All fields, in the order of their reason codes."""'
COUNTRY = """    EventField(
        name="shipping_country",
        type=Text(longest=20),
        meaning="Country that the order goes to, canonical spelling",
        example="in",
        spellings={"in": "IN", "india": "IN", "np": "NP"},
    ),
"""
ONE_OF_EACH_KIND = """    EventField(name="is_gift", type=Flag(), meaning="A gift", example=True),
    EventField(name="tip", type=Money(lowest=-5, highest=50), meaning="Tip, currency units", example=1.5),
    EventField(name="items", type=Whole(lowest=1, highest=250), meaning="Items", example=3),
    EventField(
        name="promised_for", type=Instant(earliest="2000-01-01", before="2050-01-01"), meaning="Promised for, UTC",
        example="2025-03-09T10:00:00Z", stored_as="promised_at",
    ),
    EventField(name="tier", type=Text(longest=5), meaning="Tier", example="gold", home=Home.CUSTOMERS),
    EventField(name="is_staff", type=Flag(), meaning="Staff", example=True, home=Home.CUSTOMERS),
    EventField(name="debt", type=Money(lowest=-9, highest=9), meaning="Debt", example=1, home=Home.CUSTOMERS),
    EventField(name="children", type=Whole(lowest=0, highest=20), meaning="Children", example=1, home=Home.CUSTOMERS),
    EventField(
        name="joined", type=Instant(earliest="2000-01-01", before="2050-01-01"), meaning="Joined, UTC",
        example="2025-01-01", home=Home.CUSTOMERS, stored_as="joined_at",
    ),
"""
OLD_BATCH, NEW_BATCH = "20300101T000000Z", "20300102T000000Z"

INGEST = """
import json, sys
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.definitions import defs
from bridgecart_assets.orchestration.check_rules import rules_of
from bridgecart_assets.orchestration.checks import evaluate
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, store_batch

settings, batch = load_settings(), sys.argv[1]
warehouse = warehouse_from_settings(settings)
payloads = json.load(open(sys.argv[2]))
store_batch(warehouse, batch, [Record(payload.encode()) for payload in payloads])
run_silver(warehouse, settings, batch)
failed = [r.check_name for r in evaluate(Platform(), rules_of(SILVER_ORDERS), batch) if not r.passed]
specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
schema = specs["silver/orders"].metadata["dagster/column_schema"]
columns = {column.name: column.description for column in schema.columns}
with warehouse.reading() as connection:
    print(json.dumps({
        "orders": connection.sql("select order_id, shipping_country from silver.orders").fetchall(),
        "ignored": connection.sql("select order_id, ignored_fields from silver.orders").fetchall(),
        "failed": failed,
        "columns": columns,
    }))
"""

BOTH_WAYS = """
import json, sys
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets_tests.sql.silver import BATCH, SilverWarehouse, by_offset, run_customers
from bridgecart_assets_tests.sql.test_plain_records import assert_both_ways_agree
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch

records = [
    Record(event(order_id=f"O{n}", customer_id=f"C{n}")[:-1] + f', "{field}": {text}}}'.encode())
    for n, (field, text) in enumerate(json.load(open(sys.argv[1])))
]
warehouse = SilverWarehouse(naive_timezone="UTC")
store_batch(warehouse, BATCH, records)
run_silver(warehouse, Settings(), BATCH)
orders = by_offset(warehouse, SILVER_ORDERS)
customers = {row["customer_id"]: row for row in run_customers(warehouse)}
rows = {n: orders[n] | customers[f"C{n}"] for n in orders}
values = {n: {name: str(value) for name, value in row.items()} for n, row in rows.items()}
found = [orders[n]["ignored_fields"] or values[n] for n in range(len(records))]
print(json.dumps({"plain": assert_both_ways_agree(records), "found": found}))
"""


@pytest.fixture
def copy(tmp_path: Path) -> ProjectCopy:
    """A copy of the project, unchanged."""
    return ProjectCopy.into(tmp_path / "copy")


def apply_recipe(copy: ProjectCopy, records: str, *names: str) -> None:
    """The two steps of CONTRIBUTING's "A new field of the event" that change the package."""
    copy.insert_before("contracts/event.py", END_OF_FIELDS, records)
    lines = "".join(f'    NewField("{name}"),\n' for name in names)
    copy.add_migrations(lines)


def ingest(copy: ProjectCopy, batch_key: str, payloads: list[bytes]) -> dict[str, Any]:
    """What the copy makes of a batch."""
    file = copy.folder / "payloads.json"
    file.write_text(json.dumps([payload.decode() for payload in payloads]), encoding="utf-8")
    found: dict[str, Any] = json.loads(copy.run("-c", INGEST, batch_key, str(file)).splitlines()[-1])
    return found


OF_ORDERS = (SILVER_ORDERS, *BESIDE_ORDERS)


def test_a_new_field_touches_two_files_and_is_seen_in_orders_rejects_checks_ui_and_documents(
    copy: ProjectCopy, warehouse: Warehouse, settings: Settings
) -> None:
    store_batch(warehouse, OLD_BATCH, [Record(event(order_id="old", shipping_country="India"))])
    run_silver(warehouse, settings, OLD_BATCH)
    apply_recipe(copy, COUNTRY, "shipping_country")
    assert copy.touched() == ["contracts/event.py", "warehouse/storage/migrations.py"]

    values = ("in", " INDIA ", None, "Narnia", [1], True, "x" * 21)
    found = ingest(copy, NEW_BATCH, [event(order_id=f"E{n}", shipping_country=one) for n, one in enumerate(values)])
    read = [["E0", "IN"], ["E1", "IN"], ["E2", None], ["E3", "Narnia"]]
    assert sorted(found["orders"]) == [*read, *([f"E{n}", None] for n in (4, 5, 6)), ["old", None]]
    assert sorted(one for one in found["ignored"] if one[1]) == [
        ["E4", ["bad_shipping_country"]],
        ["E5", ["bad_shipping_country"]],
        ["E6", ["out_of_range_shipping_country"]],
    ]
    assert found["failed"] == ["silver_spellings_are_known", "silver_optional_fields_are_good"]
    assert found["columns"]["shipping_country"] == "Country that the order goes to, canonical spelling"

    copy.run("-m", "bridgecart_assets_tests.docs")
    events = copy.text("docs/events.md")
    dictionary = copy.text("docs/contracts.md")
    meaning = "Country that the order goes to, canonical spelling"
    assert dictionary.count(f"| `shipping_country` | VARCHAR NULL | {meaning} |") == len(OF_ORDERS)
    assert "| `bad_shipping_country`, `out_of_range_shipping_country` |" in events
    assert "| `shipping_country` | IN | `in`, `india` |" in events
    copy.run("-m", "bridgecart_assets_tests.warehouse.storage.test_migrations")
    assert copy.text("bridgecart_assets_tests/golden/layout.json").count('"shipping_country VARCHAR"') == len(OF_ORDERS)


def test_batches_from_before_say_the_new_field_once_their_silver_is_made_again(
    copy: ProjectCopy, warehouse: Warehouse, settings: Settings
) -> None:
    old = event(order_id="old", shipping_country="India")
    store_batch(warehouse, OLD_BATCH, [Record(old)])
    run_silver(warehouse, settings, OLD_BATCH)
    apply_recipe(copy, COUNTRY, "shipping_country")
    assert ingest(copy, OLD_BATCH, [old])["orders"] == [["old", "IN"]]


READINGS: dict[tuple[str, str], dict[str, str] | list[str]] = {
    ("is_gift", "true"): {"is_gift": "True"},
    ("is_gift", '"No"'): {"is_gift": "False"},
    ("is_gift", "7"): ["bad_is_gift"],
    ("tip", "49.994"): {"tip": "49.99"},
    ("tip", "50.004"): {"tip": "50.00"},
    ("tip", "50.005"): ["out_of_range_tip"],
    ("tip", "-5"): {"tip": "-5.00"},
    ("tip", "-6"): ["out_of_range_tip"],
    ("tip", '"much"'): ["bad_tip"],
    ("items", "1"): {"items": "1"},
    ("items", "0"): ["out_of_range_items"],
    ("items", "250"): {"items": "250"},
    ("items", "251"): ["out_of_range_items"],
    ("items", "1.5"): ["bad_items"],
    ("items", '"2.0"'): {"items": "2"},
    ("promised_for", '"2025-03-09T12:00:00+02:00"'): {"promised_at": "2025-03-09 10:00:00"},
    ("promised_for", '"1999-12-31T23:59:59Z"'): ["out_of_range_promised_for"],
    ("promised_for", '"2050-01-01T00:00:00Z"'): ["out_of_range_promised_for"],
    ("promised_for", '"soon"'): ["bad_promised_for"],
    ("tier", '"gold"'): {"tier": "gold"},
    ("tier", '"  gold "'): {"tier": "gold"},
    ("tier", '"silver"'): ["out_of_range_tier"],
    ("tier", "[]"): ["bad_tier"],
    ("is_staff", "false"): {"is_staff": "False"},
    ("is_staff", '"yes"'): {"is_staff": "True"},
    ("is_staff", '"perhaps"'): ["bad_is_staff"],
    ("debt", "9.001"): {"debt": "9.00"},
    ("debt", "-9.01"): ["out_of_range_debt"],
    ("debt", "1e0"): {"debt": "1.00"},
    ("children", "20"): {"children": "20"},
    ("children", "21"): ["out_of_range_children"],
    ("joined", '"2025-01-01T00:00:00Z"'): {"joined_at": "2025-01-01 00:00:00"},
    ("joined", '"1999-01-01"'): ["out_of_range_joined"],
    ("joined", '"2025-13-01"'): ["bad_joined"],
}


def test_a_field_of_every_type_ends_where_its_record_says_by_the_short_way_and_by_the_rules(copy: ProjectCopy) -> None:
    names = ("is_gift", "tip", "items", "promised_for", "tier", "is_staff", "debt", "children", "joined")
    apply_recipe(copy, ONE_OF_EACH_KIND, *names)
    file = copy.folder / "cases.json"
    file.write_text(json.dumps(list(READINGS)), encoding="utf-8")
    judged = json.loads(copy.run("-c", BOTH_WAYS, str(file)).splitlines()[-1])
    assert judged["plain"] == 13
    for (case, expected), found in zip(READINGS.items(), judged["found"], strict=True):
        if isinstance(expected, list):
            assert (case, found) == (case, expected)
        else:
            assert (case, found | expected) == (case, found)


def test_the_example_of_the_recipe_is_no_field_yet() -> None:
    assert "shipping_country" not in {one.name for one in EVENT}

"""What became of the segments from version to version: kept, renamed, new, gone, proposed, accepted, passed over."""

import shutil
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report.figures import gather
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.report.pages import Open, column, objects, open_table

VERSIONS = """
    update gold.segment_model set as_of = '2025-06-01', in_force_from = '2025-06-01';
    insert into gold.segment_model by name
        select * replace (
            2 as version, date '2025-09-01' as as_of, date '2025-09-01' as in_force_from, 0.95 as agreement,
            1000 as fitted_customers, if(segment_key = 'S02', 'everyday', segment) as segment)
        from gold.segment_model where version = 1;
    insert into gold.segment_model by name
        select * replace (
            3 as version, 'proposed' as status, date '2025-10-01' as as_of, null as in_force_from, 0.62 as agreement,
            if(segment_key = 'S04', 'S05', segment_key) as segment_key)
        from gold.segment_model where version = 2;
    insert into gold.segment_model by name
        select * replace (
            4 as version, date '2025-11-01' as as_of, date '2025-11-15' as in_force_from, 0.714 as agreement,
            2000 as fitted_customers, 400 as segment_customers,
            if(segment_key = 'S04', 'S06', segment_key) as segment_key)
        from gold.segment_model where version = 2;
    insert into gold.segment_model by name
        select * replace (
            5 as version, 'proposed' as status, date '2025-12-01' as as_of, null as in_force_from, 0.8 as agreement,
            '3' as segments_asked)
        from gold.segment_model where version = 4 and segment_key <> 'S03';
"""

SENTENCES = [
    (
        "Version 5 is proposed on the orders before Dec 1, 2025 and waits for a person: until bridgecart run "
        "--accept-model the one before decides. Fitted to 2,000 customers. Another number of segments was asked "
        "for: 3 instead of 4. Kept key and name: S01, S02, S06. Gone: S03 “frequent, low-ticket”. 1,600 of 2,000 "
        "customers would keep their segment (80.0%)."
    ),
    (
        "Version 4 is in force since Nov 15, 2025, when a person accepted what was fitted on the orders before "
        "Nov 1, 2025. Fitted to 2,000 customers. Kept key and name: S01, S02, S03. New: S06 “coupon-driven”. Gone:"
        " S04 “coupon-driven”. 1,428 of 2,000 customers kept their segment (71.4%)."
    ),
    (
        "Version 3 was proposed on the orders before Oct 1, 2025, and nobody accepted it before the next one. "
        "Fitted to 1,000 customers. Kept key and name: S01, S02, S03. New: S05 “coupon-driven”. Gone: S04 "
        "“coupon-driven”. 620 of 1,000 customers would keep their segment (62.0%)."
    ),
    (
        "Version 2 came into force on Sep 1, 2025. Fitted to 1,000 customers. Kept key and name: S01, S03, S04. "
        "Renamed: S02, “every 17 days, 2200 a time” before, “everyday” after. 950 of 1,000 customers kept their "
        "segment (95.0%)."
    ),
    (
        "Version 1 came into force on Jun 1, 2025. Fitted to 284 customers. The first segments: S01 “rare, high-"
        "ticket”; S02 “every 17 days, 2200 a time”; S03 “frequent, low-ticket”; S04 “coupon-driven”."
    ),
]


@pytest.fixture(scope="module")
def versions(grown: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A shop with five versions: the third was not accepted, the fourth was by a person, the fifth waits."""
    folder = tmp_path_factory.mktemp("versions")
    shop = grown.model_copy(update={"data_dir": Path(shutil.copytree(grown.data_dir, folder / "data"))})
    with warehouse_from_settings(shop).transaction() as connection:
        connection.execute(VERSIONS)
    return shop


def test_each_version_is_compared_with_the_one_that_was_in_force_when_it_was_fitted(versions: Settings):
    with warehouse_from_settings(versions).reading() as connection:
        tables = gather(connection, versions)["tables"]
    changes = objects(tables["segment_changes"])
    assert [(row["version"], row["segment_key"], row["became"]) for row in changes] == [
        *((5, "S01", "kept"), (5, "S02", "kept"), (5, "S03", "gone"), (5, "S06", "kept")),
        *((4, "S01", "kept"), (4, "S02", "kept"), (4, "S03", "kept"), (4, "S04", "gone"), (4, "S06", "new")),
        *((3, "S01", "kept"), (3, "S02", "kept"), (3, "S03", "kept"), (3, "S04", "gone"), (3, "S05", "new")),
        *((2, "S01", "kept"), (2, "S02", "renamed"), (2, "S03", "kept"), (2, "S04", "kept")),
        *((1, "S01", "first"), (1, "S02", "first"), (1, "S03", "first"), (1, "S04", "first")),
    ]
    renamed = next(row for row in changes if row["became"] == "renamed")
    assert (renamed["earlier_segment"], renamed["segment"]) == ("every 17 days, 2200 a time", "everyday")
    gone = next(row for row in changes if row["version"] == 5 and row["became"] == "gone")
    assert (gone["segment_customers"], gone["earlier_segment_customers"]) == (None, 400)
    standing = [(row["version"], row["standing"], row["customers_kept"]) for row in objects(tables["versions"])]
    assert standing == [
        *((5, "proposed", 1600), (4, "in force", 1428), (3, "not accepted", 620), (2, "earlier", 950)),
        (1, "earlier", None),
    ]


def test_the_page_tells_them_in_sentences_newest_first(opened: Open, versions: Settings):
    page = opened(versions)
    told = [text.replace("\N{NO-BREAK SPACE}", " ") for text in page.locator("#changes li").all_inner_texts()]
    assert told == SENTENCES
    words = page.locator("#model-words").inner_text()
    assert words.startswith("Version 4 of the segment model")
    assert words.endswith("Version 5 is proposed and waits for a person.")
    open_table(page, "Changes of the segments")
    assert column(page, 5)[:4] == ["kept", "kept", "gone", "kept"]


def test_only_the_newest_twelve_are_told_and_the_oldest_of_them_is_still_compared(versions: Settings, tmp_path: Path):
    shop = versions.model_copy(update={"data_dir": Path(shutil.copytree(versions.data_dir, tmp_path / "data"))})
    with warehouse_from_settings(shop).transaction() as connection:
        connection.execute(
            "insert into gold.segment_model by name select m.* replace (n.version::integer as version) "
            "from gold.segment_model m cross join range(6, 15) n(version) where m.version = 4"
        )
    with warehouse_from_settings(shop).reading() as connection:
        changes = objects(gather(connection, shop)["tables"]["segment_changes"])
    assert sorted({row["version"] for row in changes}) == list(range(3, 15))
    assert {row["became"] for row in changes if row["version"] == 3} == {"kept", "gone", "new"}
    assert {row["became"] for row in changes if row["version"] > 5} == {"kept"}

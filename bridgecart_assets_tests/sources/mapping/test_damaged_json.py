"""Damaged JSON among good records: each costs itself alone, and nothing takes long."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from bridgecart_assets_tests.sources.mapping.damage import check_each_alone
from bridgecart_assets_tests.sources.mapping.records import raw_records, reader, sample_lines, sample_mapping

SEED = 18
OF_EACH = [pytest.param("nested-cents", "nested-cents"), pytest.param("shopify", "shopify-orders")]


def check(mapping: str, sample: str, count: int, seed: int) -> None:
    read = reader(sample_mapping(mapping)).read
    rows = check_each_alone(
        lambda records: read(raw_records(records).to_reader()), said, sample_lines(sample), count, seed
    )
    assert rows["offset"].to_pylist() == list(range(count))


def said(rows: pa.Table, places: Sequence[int]) -> Any:
    # Of the damaged ones some have dates that Arrow holds and Python does not.
    return rows.drop_columns("offset").take(pa.array(places)).to_pylist()


@pytest.mark.parametrize(("mapping", "sample"), OF_EACH)
def test_damaged_documents_cost_themselves_alone(mapping, sample):
    check(mapping, sample, 7_000, SEED)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("mapping", "sample"), OF_EACH)
def test_a_million_documents_half_of_them_damaged_cost_themselves_alone(mapping, sample):
    for seed in range(20):
        check(mapping, sample, 50_000, seed)

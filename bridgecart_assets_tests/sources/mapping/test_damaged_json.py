"""Damaged JSON among good records: each costs itself alone, and nothing takes long."""

import time

import pyarrow as pa
import pytest

from bridgecart_assets_tests.sources.mapping.damage import SECONDS_EACH, among_good_ones
from bridgecart_assets_tests.sources.mapping.records import raw_records, reader, sample_lines, sample_mapping

SEED = 18
OF_EACH = [pytest.param("nested-cents", "nested-cents"), pytest.param("shopify", "shopify-orders")]


def check(mapping: str, sample: str, count: int, seed: int) -> None:
    read, good = reader(sample_mapping(mapping)).read, sample_lines(sample)
    alone = [read(raw_records([one])).drop_columns("offset").to_pylist()[0] for one in good]
    records, untouched = among_good_ones(good, count, seed)
    began = time.process_time()
    rows = read(raw_records(records))
    took = time.process_time() - began
    assert rows["offset"].to_pylist() == list(range(count))
    places = sorted(untouched)
    # Of the damaged ones some have dates that Arrow holds and Python does not.
    said = rows.drop_columns("offset").take(pa.array(places)).to_pylist()
    assert said == [alone[place % len(good)] for place in places]
    assert took < count * SECONDS_EACH


@pytest.mark.parametrize(("mapping", "sample"), OF_EACH)
def test_damaged_documents_cost_themselves_alone(mapping, sample):
    check(mapping, sample, 7_000, SEED)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("mapping", "sample"), OF_EACH)
def test_a_million_documents_half_of_them_damaged_cost_themselves_alone(mapping, sample):
    for seed in range(20):
        check(mapping, sample, 50_000, seed)

"""The records that `bridgecart inspect` looks at. On a broker: `integration/test_inspect.py`."""

from collections.abc import Generator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.inspect import records
from bridgecart_assets.commands.inspect.records import Records, first_of_file, read_records
from bridgecart_assets.sources.files.reading import read_rows
from bridgecart_assets.sources.kafka.continuity import LastRecord
from bridgecart_assets.sources.kafka.offsets import BatchPlan
from bridgecart_assets_tests.support.topics import exported


class _InThisOrder:
    """A stream of records as a broker with two partitions may send it."""

    def __init__(self, plan: BatchPlan, chunks: Sequence[pa.RecordBatch]) -> None:
        self.covered, self.last_records = plan, dict[int, LastRecord]()
        self._chunks = chunks

    def ahead(self) -> Generator[pa.RecordBatch, None, None]:
        yield from self._chunks


def test_the_same_records_are_looked_at_in_the_same_order_however_the_broker_sends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "export.csv"
    file.write_text(exported(), encoding="utf-8")
    asked = first_of_file(file, Settings(), 40)
    (chunk,) = read_rows(asked.file, asked.plan, max_bytes=asked.max_bytes).ahead()
    place = chunk.schema.get_field_index("partition")
    third = chunk.set_column(place, chunk.schema.field(place), pa.array([1] * 40, pa.int32()))
    first, second = chunk.slice(0, 20), chunk.slice(20)

    def seen(*chunks: pa.RecordBatch) -> Records:
        monkeypatch.setattr(records, "read_rows", lambda *_, **__: _InThisOrder(asked.plan, chunks))
        return read_records(asked)

    assert seen(third, first, second) == seen(first, third, second) == seen(first, second, third)
    assert seen(third, first, second).values == chunk.column("payload").to_pylist() * 2

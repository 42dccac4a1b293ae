"""The records that `bridgecart inspect` looks at. On a broker: `integration/test_inspect.py`."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.inspect import records
from bridgecart_assets.commands.inspect.records import Records, first_of_file, read_records
from bridgecart_assets_tests.support.handed import Handed, Row, a_record
from bridgecart_assets_tests.support.topics import exported


def test_the_same_records_are_looked_at_in_the_same_order_however_the_broker_sends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "export.csv"
    file.write_text(exported(), encoding="utf-8")
    asked = first_of_file(file, Settings(), 4)
    first = [a_record(0, offset, payload=b"%d" % offset) for offset in range(2)]
    second, third = [a_record(0, 2, payload=b"2")], [a_record(1, 0, payload=b"3", key=b"last")]

    def seen(*chunks: Sequence[Row]) -> Records:
        monkeypatch.setattr(records, "read_rows", lambda *_, **__: Handed(asked.plan, chunks))
        return read_records(asked)

    assert seen(third, first, second) == seen(first, third, second) == seen(first, second, third)
    assert seen(third, first, second).values == [b"0", b"1", b"2", b"3"]
    assert seen(third, first, second).keys == [None, None, None, b"last"]

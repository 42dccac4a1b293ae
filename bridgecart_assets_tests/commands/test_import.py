"""`bridgecart import`: what is wrong is said in one line with its place, before anything is written."""

from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line


@pytest.mark.parametrize(
    ("history", "mapping", "says"),
    [
        ("order_id;x\n1;2\n3\n", None, "history.csv line 3: 1 column where 2 are expected; nothing was imported"),
        ("order_id;x\n1;2\n", "format = 1\n[order]\n", "history.toml"),
        (
            "order_id;x\n1;2\n",
            'format = 1\n[decode]\nvalue = "avro-registry"\n[order]\n'
            + "\n".join(
                f'{field} = "value.x"' for field in ("order_id", "customer_id", "purchase_date", "purchase_amount")
            ),
            "history.toml [decode] value: rows of a file are JSON and come without a registry",
        ),
        ("order_id;x\n1;2\n", None, "history.parquet: it cannot be read (No such file or directory); nothing was"),
    ],
)
def test_a_wrong_file_or_mapping_gives_no_row_and_not_even_a_data_directory(
    bridgecart: Bridgecart, settings: Settings, tmp_path: Path, history: str, mapping: str | None, says: str
) -> None:
    file = tmp_path / "history.csv"
    file.write_text(history)
    arguments = [str(file)]
    if mapping is not None:
        (tmp_path / "history.toml").write_text(mapping)
        arguments += ["--mapping", str(tmp_path / "history.toml")]
    if "parquet" in says:
        arguments += [str(tmp_path / "history.parquet")]
    assert_one_line(bridgecart("import", *arguments), says)
    assert not settings.data_dir.exists()


def test_who_has_a_mapping_for_the_topic_is_told_that_files_need_theirs(
    bridgecart: Bridgecart, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAPPING", str(tmp_path / "topic.toml"))
    said = bridgecart("import", str(tmp_path / "missing.csv")).err
    assert said.startswith("bridgecart: the rows are read as BridgeCart's own events: BRIDGECART_MAPPING is for")

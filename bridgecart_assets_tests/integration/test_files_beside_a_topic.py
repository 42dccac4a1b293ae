"""Batches of a file among those of a topic: sensor, doctor and a person in the UI take each for what it is."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.doctor_findings import examine
from bridgecart_assets.commands.import_files import Imported, Importing, source
from bridgecart_assets.commands.run_pipeline import RunFailed, Summary, register_batch, take_in
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sources.files.history_file import HistoryFile, open_history
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, said
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.sources.mapping.records import SAMPLES
from bridgecart_assets_tests.support.records import event
from bridgecart_assets_tests.support.state import digests, rows


@pytest.fixture
def instance(data_dir: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's records where the doctor looks for them."""
    with dagster_instance(load_settings()) as instance:
        yield instance


@any_broker
def test_rows_of_a_file_change_nothing_of_what_is_known_of_the_topic_and_are_read_again_only_from_the_same_file(
    shop: Shop, instance: dg.DagsterInstance, warehouse: Warehouse, tmp_path: Path
) -> None:
    file = tmp_path / "history.ndjson"
    file.write_bytes(event(order_id="H1") + b"\n" + event(order_id="H2"))
    daemon = Daemon(instance, job="ingest_batch")
    platform = Platform()

    key = register_batch(instance, platform)
    take_in(instance, key, Summary(), run_config=source(open_history(file), None))
    shop.sell(50)
    daemon.tick()
    assert rows(warehouse, "select count(*), count(cluster_id) from raw.batches") == [(2, 1)]
    assert said(daemon.tick()) == "no new records: every record of the topic is in a batch"
    assert examine(load_settings()) == []

    stored = digests(warehouse, with_ledger=True)
    take_in(instance, key, Summary(), run_config=source(open_history(file), None))
    with pytest.raises(RunFailed, match=rf"^Batch {key} holds rows of history\.ndjson, a file that was imported"):
        take_in(instance, key, Summary())
    file.write_bytes(event(order_id="H3"))
    with pytest.raises(RunFailed, match=rf"^history\.ndjson was changed since batch {key} was read.*its rows stay"):
        take_in(instance, key, Summary(), run_config=source(open_history(file), None))
    assert digests(warehouse, with_ledger=True) == stored


def test_by_another_mapping_the_rows_of_a_file_stay_and_are_read_again_and_by_the_same_they_are_not(
    instance: dg.DagsterInstance, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_RECORDS", "2")
    file = open_history(SAMPLES / "history.csv")
    mended = (SAMPLES / "mappings" / "history.toml").read_text()
    wrong = mended.replace("\"replace(value.Total, ',', '.')\"", '"value.Total"')
    counted: list[tuple[int, int, str]] = []

    def imported(mapping: str, file: HistoryFile) -> Imported:
        importing = Importing(instance, Platform(), mapping, Summary(), lambda *count: counted.append(count))
        importing.finish_open_batches()
        return importing.take_in(file)

    first = imported(wrong, file)
    assert (first.rows, first.before, first.batches_read_again) == (4, 0, 0)
    assert counted == [(n, 4, "importing history.csv") for n in (0, 2, 4)]
    assert rows(warehouse, "select count(*) from silver.orders") == [(0,)]
    stood = rows(warehouse, "from raw.orders order by all")

    older = tmp_path / "older.csv"
    older.write_bytes(file.path.read_bytes())
    again = imported(mended, open_history(older))
    assert (again.before, again.batches_read_again) == (4, 2)
    assert again.says().endswith("all 4 rows stood already. They were read again by this mapping, in 2 batch(es).")
    assert rows(warehouse, "from raw.orders order by all") == stood
    assert rows(warehouse, "select order_id, net_amount::varchar from silver.orders order by 1") == [
        ("10-1", "119.90"),
        ("10-2", "45.50"),
    ]
    assert imported(mended, file).batches_read_again == 0

    older.write_text(older.read_text().replace("129,90", "139,90"))
    older.rename(tmp_path / "history.csv")
    changed = imported(mended, open_history(tmp_path / "history.csv"))
    assert str(changed.warning).startswith("history.csv was imported before with other content (4 rows); its orders st")

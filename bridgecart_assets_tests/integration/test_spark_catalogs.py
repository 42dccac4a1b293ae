"""The lake in a catalog of Spark's configuration: all commands do there what they do in a folder."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import IN_LAKE
from bridgecart_assets.warehouse.from_settings import spark_from_settings
from bridgecart_assets.warehouse.lake.heads import Head
from bridgecart_assets.warehouse.moving import remove_lake
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import Bridgecart, Done, bridgecart
from bridgecart_assets_tests.support.iceberg_catalogs import catalog_by_jdbc, catalog_by_rest, driver_of_database
from bridgecart_assets_tests.support.spark import leaves_sockets, spark_in_this_process, spark_settings
from bridgecart_assets_tests.support.state import digests, rows

__all__ = ["bridgecart"]

pytestmark = [
    # A busy machine takes its time.
    pytest.mark.timeout(600),
    leaves_sockets,
]

In = Callable[..., Done]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the catalogs have their tables."""
    return tmp_path_factory.mktemp("catalogs")


@pytest.fixture(scope="module")
def spark(folder: Path) -> Iterator[Mapping[str, str]]:
    """Spark with a catalog of each kind, and one whose files are in no folder."""
    with catalog_by_rest("rest", folder) as by_rest:
        configured = {
            **by_rest,
            **catalog_by_jdbc("jdbc", folder / "jdbc.sqlite", str(folder / "of_jdbc")),
            **catalog_by_jdbc("far", folder / "far.sqlite", "viewfs:///away"),
            "spark.hadoop.fs.viewfs.mounttable.default.link./away": f"file://{folder}/away",
        }
        of_suite = Path(spark_settings()["SPARK_CONF_DIR"]) / "spark-defaults.conf"
        lines = "".join(f"{name} {value}\n" for name, value in configured.items())
        (folder / of_suite.name).write_text(of_suite.read_text() + lines)
        with spark_in_this_process() as settings:
            jars = f"{settings['BRIDGECART_SPARK_JARS']},{driver_of_database()}"
            yield {**settings, "SPARK_CONF_DIR": str(folder), "BRIDGECART_SPARK_JARS": jars}


@pytest.fixture
def in_catalog(bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch, spark: Mapping[str, str]) -> In:
    """A command with the lake in a catalog."""

    def run(catalog: str, *arguments: str) -> Done:
        with monkeypatch.context() as patch:
            for name, value in {**spark, "BRIDGECART_SPARK_CATALOG": catalog}.items():
                patch.setenv(name, value)
            return bridgecart(*arguments)

    return run


def test_a_warehouse_moves_into_a_database_and_back_and_leaves_nothing_there(
    in_catalog: In, filled: Warehouse, folder: Path, tmp_path: Path
) -> None:
    before = digests(filled, with_ledger=True)
    moved = in_catalog("jdbc.shop", "move", "--to", "spark")
    assert moved.code == 0, moved.err
    assert digests(filled, with_ledger=True) == before
    assert _files_in(folder / "of_jdbc") == _files(filled)
    _another_warehouse_is_refused(in_catalog, filled, tmp_path)
    assert digests(filled, with_ledger=True) == before
    assert in_catalog("jdbc.shop", "move", "--to", "duckdb").code == 0
    assert digests(filled, with_ledger=True) == before
    assert _files_in(folder) == set()
    again = in_catalog("jdbc.shop", "move", "--to", "duckdb")
    assert again.err.endswith("not in the lake. Drop what is left in jdbc.shop, unless another warehouse uses it.\n")


def test_a_warehouse_lives_in_a_rest_catalog_as_in_a_folder(
    in_catalog: In, filled: Warehouse, folder: Path, tmp_path: Path
) -> None:
    catalog = "rest.one.shop"
    before = digests(filled, with_ledger=True)
    moved = in_catalog(catalog, "move", "--to", "spark")
    assert moved.code == 0, moved.err
    assert digests(filled, with_ledger=True) == before
    assert in_catalog(catalog, "withdraw", "O1-1", "--reason", "sent by mistake").code == 0
    assert rows(filled, "select count(*) from silver.orders where order_id = 'O1-1'") == [(0,)]
    withdrawn = digests(filled, with_ledger=True)
    assert _files_in(folder) > _files(filled)
    assert in_catalog(catalog, "tidy", "--keep-minutes", "0").code == 0
    assert _files_in(folder) == _files(filled)
    saved = str(tmp_path / "saved")
    assert in_catalog(catalog, "backup", saved).code == 0
    assert in_catalog(catalog, "restore", saved, "--replace").code == 0
    assert digests(filled, with_ledger=True) == withdrawn
    assert _files_in(folder) == set()


def test_a_table_of_somebody_else_is_neither_replaced_nor_dropped(
    in_catalog: In, filled: Warehouse, spark: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**spark, "BRIDGECART_SPARK_CATALOG": "jdbc.theirs"}.items():
        monkeypatch.setenv(name, value)
    reached, (first, *_) = spark_from_settings(load_settings()), IN_LAKE
    theirs = f"jdbc.theirs.{first.full_name}"
    before = digests(filled, with_ledger=True)
    with reached.session() as session:
        session.sql("create namespace if not exists jdbc.theirs")
        session.sql(f"create namespace if not exists jdbc.theirs.{first.schema}")
        session.sql(f"create table {theirs} using iceberg as select 7 as theirs")
        refused = in_catalog("jdbc.theirs", "move", "--to", "spark")
        assert refused.code == 1, refused.out
        assert refused.err == (
            f"bridgecart: {theirs} is not a table of this warehouse: set BRIDGECART_LAKE_DIR to another folder, or "
            "BRIDGECART_SPARK_CATALOG to another namespace, or drop the tables there.\n"
        )
        # As if the setting were another one by now.
        remove_lake(reached, {table.full_name: Head(42, ()) for table in IN_LAKE})
        assert session.sql(f"select theirs from {theirs}").collect() == [(7,)]
    assert digests(filled, with_ledger=True) == before


def test_a_catalog_whose_files_are_in_no_folder_is_refused_and_nothing_moves(in_catalog: In, filled: Warehouse) -> None:
    before = digests(filled, with_ledger=True)
    refused = in_catalog("far.shop", "move", "--to", "spark")
    assert refused.code == 1, refused.out
    assert refused.err.startswith("bridgecart: The catalog puts the lake's files at viewfs:/")
    assert refused.err.endswith("in a folder that this machine sees; DuckDB reads them there.\n")
    assert digests(filled, with_ledger=True) == before


@pytest.mark.parametrize("engine", ["spark", "duckdb"])
def test_a_catalog_that_spark_does_not_know_is_told_in_one_line(engine: str, in_catalog: In, filled: Warehouse) -> None:
    refused = in_catalog("unknown.shop", "move", "--to", engine)
    assert refused.code == 1, refused.out
    assert refused.err.startswith("bridgecart: Spark failed (")
    assert refused.err.count("\n") == 1


def _another_warehouse_is_refused(in_catalog: In, warehouse: Warehouse, folder: Path) -> None:
    """One that was restored from a backup of the first, and so has the same rows."""
    files = _files(warehouse)
    with pytest.MonkeyPatch.context() as patch:
        assert in_catalog("jdbc.shop", "backup", str(folder / "saved")).code == 0
        patch.setenv("BRIDGECART_DATA_DIR", str(folder / "another"))
        assert in_catalog("jdbc.shop", "restore", str(folder / "saved")).code == 0
        refused = in_catalog("jdbc.shop", "move", "--to", "spark")
        assert refused.code == 1, refused.out
        assert "is not a table of this warehouse: set BRIDGECART_LAKE_DIR to another folder" in refused.err
    assert _files(warehouse) == files


def _files(warehouse: Warehouse) -> set[str]:
    return {file for (file,) in rows(warehouse, "select unnest(files) from lake.heads")}


def _files_in(folder: Path) -> set[str]:
    return {str(file) for file in folder.rglob("*.parquet") if "away" not in file.parts and "theirs" not in file.parts}

"""Catalogs of Iceberg for tests: its own REST server, with which it tests its clients, and a database by JDBC."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from bridgecart_assets.processes.listening import free_port
from bridgecart_assets.processes.supervisor import child
from bridgecart_assets.warehouse.lake.session import ICEBERG
from bridgecart_assets_tests.support.maven import LIBS, fetched, java

_POM = Path(__file__).with_name("iceberg_catalogs.pom.xml")
_SERVER = "org.apache.iceberg.rest.RESTCatalogServer"
_HOST = "127.0.0.1"
_START_SECONDS = 60.0
_POLL_SECONDS = 0.1
_JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def driver_of_database() -> Path:
    """The jar that lets Java use SQLite."""
    (jar,) = _jars().glob("sqlite-jdbc-*.jar")
    return jar


def catalog_by_jdbc(name: str, database: Path, warehouse: str) -> Mapping[str, str]:
    """Settings of Spark for a catalog in a database file, with its tables below `warehouse`."""
    return {
        f"spark.sql.catalog.{name}": "org.apache.iceberg.spark.SparkCatalog",
        f"spark.sql.catalog.{name}.type": "jdbc",
        f"spark.sql.catalog.{name}.uri": f"jdbc:sqlite:{database}",
        f"spark.sql.catalog.{name}.warehouse": warehouse,
    }


@contextmanager
def catalog_by_rest(name: str, folder: Path) -> Iterator[Mapping[str, str]]:
    """Settings of Spark for a catalog of the server, which runs meanwhile; its tables are in `folder`."""
    port = free_port(_HOST)
    variables = {
        "CATALOG_URI": f"jdbc:sqlite:{folder / 'rest.sqlite'}",
        "CATALOG_WAREHOUSE": str(folder / "tables"),
        "CATALOG_REST_PORT": str(port),
    }
    command = [java(), *_JVM, "-cp", os.pathsep.join([str(_jars() / "*"), *_of_spark()]), _SERVER]
    with child(command, folder / "rest.log", variables):
        _wait_for(f"http://{_HOST}:{port}/v1/config", folder / "rest.log")
        yield {
            f"spark.sql.catalog.{name}": "org.apache.iceberg.spark.SparkCatalog",
            f"spark.sql.catalog.{name}.type": "rest",
            f"spark.sql.catalog.{name}.uri": f"http://{_HOST}:{port}",
        }


def _jars() -> Path:
    version = ICEBERG.rpartition(":")[2]
    return fetched(f"iceberg-catalogs-{version}", _POM, {"iceberg.version": version}) / LIBS


def _of_spark() -> Sequence[str]:
    """Hadoop's jars, which PySpark has already."""
    found = find_spec("pyspark")
    assert found is not None, "run make spark"
    assert found.origin is not None, "run make spark"
    return sorted(map(str, (Path(found.origin).parent / "jars").glob("hadoop-client-*.jar")))


def _wait_for(address: str, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    # No proxy for what is on this machine.
    opener = build_opener(ProxyHandler({}))
    while True:
        with suppress(URLError, ConnectionError), opener.open(address, timeout=5):
            return
        assert time.monotonic() < end, log.read_text()
        time.sleep(_POLL_SECONDS)

"""Spark: starting it, and what its errors say to a person."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bridgecart_assets.base.errors import BridgeCartError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ICEBERG = "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.11.0"
_FOLDER = "lake"
_LARGE_BATCH = 1_000_000
_OF_PY4J = "An error occurred while calling"
_NO_JAVA = "JAVA_GATEWAY_EXITED"
# What a worker's Python raised stands behind its traceback.
_CAUSE = re.compile(r"^(?:[\w.]+\.)?(?P<kind>[A-Z]\w+): (?P<says>.+)$", re.MULTILINE)


class SparkFailed(BridgeCartError):
    """Spark is missing, cannot be reached, or failed at its work; nothing was written."""


@dataclass(frozen=True)
class Spark:
    """Spark as the settings reach it.

    Attributes:
        master: as Spark names it.
        folder: of the lake; this machine and every worker see it under the same name.
        jars: of Iceberg; without any Spark fetches them.
        catalog: of Spark's configuration, or a namespace in it; without one the folder is the catalog.
        large_batch: the number of records from which on workers read and judge a batch. Without one it is a million
            where workers have other processors than this process, else there is none.

    """

    master: str
    folder: Path
    jars: tuple[Path, ...] = ()
    catalog: str | None = None
    large_batch: int | None = None

    def is_large(self, records: int) -> bool:
        """True if workers are to read and judge a batch of so many records."""
        if self.large_batch is None:
            return not self._is_local and records >= _LARGE_BATCH
        return records >= self.large_batch

    @property
    def _is_local(self) -> bool:
        return self.master.startswith("local")

    @property
    def namespace(self) -> tuple[str, ...]:
        """The catalog and the namespaces in it, as they stand before the names of the tables in Spark's SQL."""
        return tuple((self.catalog or _FOLDER).split("."))

    @contextmanager
    def session(self) -> "Iterator[SparkSession]":
        """The session of this lake in this process, which starts Spark once. Its errors are raised as SparkFailed."""
        _require_pyspark()
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            yield _session(self)
        except (PySparkException, Py4JError) as error:
            raise _explained(str(error)) from error

    @property
    def of_program(self) -> Mapping[str, str]:
        """Spark's settings that hold as long as it runs."""
        jars = ",".join(map(str, self.jars))
        return {
            "spark.app.name": "bridgecart",
            "spark.master": self.master,
            **({"spark.jars": jars} if jars else {"spark.jars.packages": ICEBERG}),
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "ERROR",
            **(_ON_LOOPBACK if self._is_local else {}),
        }

    @property
    def of_session(self) -> Mapping[str, str]:
        """Those of a session: where its tables are, and what times mean."""
        return {
            **({} if self.catalog else self._of_folder),
            # Tables come and go behind its back, when a warehouse moves or is restored.
            f"spark.sql.catalog.{self.namespace[0]}.cache-enabled": "false",
            # The size of a batch for Python is looked at before every row, which takes longer than all else; batches
            # have an upper limit of rows besides.
            "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.timestampType": "TIMESTAMP_NTZ",
        }

    @property
    def _of_folder(self) -> Mapping[str, str]:
        catalog = f"spark.sql.catalog.{_FOLDER}"
        return {
            catalog: "org.apache.iceberg.spark.SparkCatalog",
            f"{catalog}.type": "hadoop",
            f"{catalog}.warehouse": str(self.folder.resolve()),
        }


@cache
def _session(spark: Spark) -> "SparkSession":
    from pyspark.sql import SparkSession

    # Workers compute the same bits with the same packages only; of a cluster its environment says which.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder: SparkSession.Builder = SparkSession.builder
    for name, value in spark.of_program.items():
        builder = builder.config(name, value)
    # A catalog stays the one that a session found first.
    session = builder.getOrCreate().newSession()
    for name, value in spark.of_session.items():
        session.conf.set(name, value)
    # Iceberg's own functions find the catalog only after a statement has.
    session.sql(f"use {spark.namespace[0]}")
    return session


def application() -> Mapping[str, str]:
    """Spark's number for what this process does, and the address of its page if it has one; empty before it starts."""
    if "pyspark" not in sys.modules:
        return {}
    from pyspark import SparkContext

    context = SparkContext._active_spark_context
    if context is None:
        return {}
    page = {"spark_page": context.uiWebUrl} if context.uiWebUrl else {}
    return {"spark_application": str(context.applicationId), **page}


# Nobody else has to reach what runs in this process.
_ON_LOOPBACK = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
}


def _explained(text: str) -> SparkFailed:
    if _NO_JAVA in text:
        return SparkFailed("Spark does not start: it needs Java 17, on the PATH or where JAVA_HOME says.")
    return SparkFailed(f"Spark failed ({cause_of(text)}): nothing was written, run again.")


def cause_of(text: str) -> str:
    """The cause of a failure in one line: the error of a worker's Python where there is one, else the first line."""
    found = list(_CAUSE.finditer(text.partition("\n\tat ")[0]))
    if "Traceback" in text and found:
        return f"{found[-1]['kind']}: {found[-1]['says']}"
    lines = [line.removeprefix(": ").strip() for line in text.splitlines()]
    return next((line for line in lines if line and not line.startswith(_OF_PY4J)), "it does not say why")


def _require_pyspark() -> None:
    if find_spec("pyspark") is None:
        raise SparkFailed("Spark is not installed: pip install 'bridgecart[spark]' (it needs Java 17).")

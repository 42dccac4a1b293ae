"""Publishing tables as Parquet by atomic rename, so that readers never meet the writer's lock."""

import time
from contextlib import suppress
from pathlib import Path

import duckdb

from bridgecart_assets.base.quoting import sql_names
from bridgecart_assets.contracts import CUSTOMER_HASH, Contract
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError, reason_of

# What is smaller is renewed with every batch.
LARGE_FILE_BYTES = 4 * 1024 * 1024
# Level 1 takes four fifths of the time of the default for files of the same size.
PARQUET = "format parquet, compression zstd, compression_level 1"


def published_path(folder: Path, contract: Contract) -> Path:
    """Path of a published table: `<folder>/<schema>/<table>.parquet`."""
    return folder / contract.schema / f"{contract.name}.parquet"


def is_recent(folder: Path, contract: Contract, minutes: float) -> bool:
    """True if a large table of customers was published within so many minutes, so that writing it can wait."""
    target = published_path(folder, contract)
    if CUSTOMER_HASH not in contract.columns or not target.exists():
        return False
    about = target.stat()
    return about.st_size > LARGE_FILE_BYTES and time.time() - about.st_mtime < 60 * minutes


def publish(warehouse: Warehouse, contract: Contract, folder: Path) -> Path:
    """Copy the table, ordered by its key, to its Parquet file. Open readers keep the file they have.

    Raises WarehouseError when the file cannot be written; what was published before stays.
    """
    target = published_path(folder, contract)
    order = sql_names(contract.key)
    with warehouse.reading() as connection:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_to_file(connection, f"from {contract.full_name} order by {order}", target, PARQUET)
        except (OSError, duckdb.IOException) as error:
            raise WarehouseError(
                f"Cannot publish {target} ({reason_of(error)}): make room and make it writable, or set "
                "BRIDGECART_DATA_DIR, and run again; the warehouse itself has the rows."
            ) from error
    return target


def copy_to_file(connection: duckdb.DuckDBPyConnection, rows: str, target: Path, options: str) -> None:
    """Write rows to a file of its own and rename it to the target; where that fails, nothing of it is left.

    A target that is no file, like /dev/stdout, is written as it is. Raises OSError or duckdb.IOException.
    """
    if target.exists() and not target.is_file():
        _copy(connection, rows, target, options)
        return
    target = target.resolve()
    partial = target.with_name(f"{target.name}.partial")
    try:
        _copy(connection, rows, partial, options)
        partial.replace(target)
    except (OSError, duckdb.IOException):
        with suppress(OSError):
            partial.unlink()
        raise


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, file: Path, options: str) -> None:
    connection.execute(f"copy ({rows}) to $file ({options})", {"file": str(file)})

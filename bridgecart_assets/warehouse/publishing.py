"""Publishing tables as Parquet by atomic rename, so that readers never meet the writer's lock."""

from pathlib import Path

from bridgecart_assets.contracts import Contract
from bridgecart_assets.warehouse.database import Warehouse


def published_path(folder: Path, contract: Contract) -> Path:
    """Where a published table stands: `<folder>/<schema>/<table>.parquet`."""
    return folder / contract.schema / f"{contract.name}.parquet"


def publish(warehouse: Warehouse, contract: Contract, folder: Path) -> Path:
    """Copy the table, ordered by its key, to its Parquet file. Open readers keep the file they have."""
    target = published_path(folder, contract)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".parquet.partial")
    order = ", ".join(f'"{column}"' for column in contract.key)
    with warehouse.reading() as connection:
        connection.execute(
            f"copy (select * from {contract.full_name} order by {order}) to $file (format parquet, compression zstd)",
            {"file": str(partial)},
        )
    partial.replace(target)
    return target

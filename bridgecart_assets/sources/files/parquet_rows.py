"""Parquet: each row as a JSON object in which every scalar is a text, digit by digit.

As numbers of JSON, decimals would be floating point.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bridgecart_assets.base.quoting import sql_name
from bridgecart_assets.sources.files.errors import refused

_PIECE_ROWS = 10_000
_PIECE_BYTES = 16 * 1024 * 1024


class ParquetRows:
    """The rows of a Parquet file. Raises FileRefused where it is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._metadata = pq.read_metadata(path)
        except pa.ArrowException:
            raise refused(path.name, "it is no Parquet file, or a damaged one") from None

    @property
    def count(self) -> int:
        """Number of rows, as the file says."""
        return int(self._metadata.num_rows)

    def pieces(self, start: int) -> Iterator[pa.Array]:
        """Rows as JSON, from one on; groups of rows before it are not read."""
        group, before = self._group_of(start)
        with pq.ParquetFile(self._path) as file, duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            groups = list(range(group, self._metadata.num_row_groups))
            skipped = start - before
            for batch in file.iter_batches(self._piece_rows, row_groups=groups):
                rows = batch.slice(skipped)
                skipped -= batch.num_rows - rows.num_rows
                if rows.num_rows:
                    yield _documents(connection, rows)

    @property
    def _piece_rows(self) -> int:
        size: int = sum(
            self._metadata.row_group(group).total_byte_size for group in range(self._metadata.num_row_groups)
        )
        mean_bytes = size // max(self.count, 1) + 1
        return max(1, min(_PIECE_ROWS, _PIECE_BYTES // mean_bytes))

    def _group_of(self, row: int) -> tuple[int, int]:
        """The group that has the row, and number of rows before it."""
        before = 0
        for group in range(self._metadata.num_row_groups):
            rows = self._metadata.row_group(group).num_rows
            if before + rows > row:
                return group, before
            before += rows
        return self._metadata.num_row_groups, before


def _documents(connection: duckdb.DuckDBPyConnection, rows: pa.RecordBatch) -> pa.Array:
    # By number: names of columns may differ by case alone.
    numbered = rows.rename_columns([f"c{number}" for number in range(rows.num_columns)])
    connection.register("piece", pa.Table.from_batches([numbered]))
    members = ", ".join(f"?, {_text(field.name, field.type)}" for field in numbered.schema)
    sql = f"select encode(json_object({members})::varchar) as payload from piece"
    documents: pa.Table = connection.sql(sql, params=rows.schema.names).to_arrow_table()
    return documents.column("payload").combine_chunks()


def _text(column: str, kind: pa.DataType) -> str:
    """SQL of a column's values as texts."""
    if pa.types.is_floating(kind):
        # pandas writes NaN for what is missing, and 17850.0 for a whole number in a column where something is.
        return f"case when not isnan({column}) then regexp_replace({column}::varchar, '[.]0$', '') end"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        # Older writers do not say that bytes are text.
        return f"coalesce(try(decode({column})), {column}::varchar)"
    return f"{column}::{_text_type(kind)}"


def _text_type(kind: pa.DataType) -> str:
    """The type with texts in the place of all scalars."""
    if pa.types.is_struct(kind):
        return f"struct({', '.join(f'{sql_name(field.name)} {_text_type(field.type)}' for field in kind)})"
    if pa.types.is_map(kind):
        return f"map(varchar, {_text_type(kind.item_type)})"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return f"{_text_type(kind.value_type)}[]"
    return "varchar"

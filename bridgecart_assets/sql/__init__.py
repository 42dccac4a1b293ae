"""SQL in DuckDB's dialect, a folder a layer, with bound parameters (`$name`) only.

The rows of `silver.orders` are those of `sql/silver/orders.sql`; temporary steps (`tmp_...`) live in the folder of the
layer that they serve. Every file opens with what it needs and gives (`headers.py`); the order follows from that
(`chain.py`), and `bridgecart graph TABLE` shows it.
"""

from bridgecart_assets.sql.text import file_of, read_sql

__all__ = ["file_of", "read_sql"]

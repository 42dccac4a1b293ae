"""The DuckDB warehouse: connections, what an asset hands over, writing, publishing, the IO manager."""

"""Storage: the DuckDB file, opened by one writer at a time; its layout, and what an asset hands over."""

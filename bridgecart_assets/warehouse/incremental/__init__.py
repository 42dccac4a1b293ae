"""Incremental tables: only the rows of customers that changed are rebuilt."""

"""Ingest: which records each batch holds."""

"""The assets: thin Dagster around SQL files and plain functions, one module per layer."""

"""Statistical models as plain functions."""

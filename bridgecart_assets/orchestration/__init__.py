"""Dagster: assets, checks, jobs, sensors, resources. Nothing below this room imports dagster."""

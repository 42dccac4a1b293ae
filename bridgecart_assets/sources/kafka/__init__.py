"""Kafka: positions and batch plans, reading a slice, producing, the embedded broker. Imports no Dagster."""

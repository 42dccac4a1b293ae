"""Tests of bridgecart_assets.kafka, run against a real broker."""

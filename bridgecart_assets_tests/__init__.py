"""Tests of bridgecart_assets; the folders mirror the package."""

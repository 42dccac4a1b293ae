"""Bounds of settings that other rooms know, too; loading them loads no settings."""

MOST_SEGMENTS = 12

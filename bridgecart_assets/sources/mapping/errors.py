"""The error of a mapping: one line with its place and what to do."""

from bridgecart_assets.base.errors import BridgeCartError


class MappingError(BridgeCartError):
    """A mapping file cannot be used."""


class Refused(Exception):
    """A part of a mapping cannot be used; whoever knows its place makes it a `MappingError`."""

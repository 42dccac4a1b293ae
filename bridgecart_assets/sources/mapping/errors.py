"""The error of a mapping: one line with its place and what to do."""

from bridgecart_assets.base.errors import BridgeCartError


class MappingError(BridgeCartError):
    """A mapping file cannot be used."""


class Refused(Exception):
    """What is wrong with a part of the file; whoever knows its place makes it a `MappingError`."""

"""Schemas of a registry, and whoever keeps them.

What belongs elsewhere: asking a registry for them (`sources/registry.py`) and keeping them
(`warehouse/ingest/schemas.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bridgecart_assets.base.errors import BridgeCartError

LARGEST_SCHEMA = 1_000_000
"""Characters of the longest schema that is read; of those in use the longest have a tenth of it."""


class SchemaUnusable(Exception):
    """A schema that nothing can be read with: broken, too large, or of another kind than the mapping decodes."""


class UnreadableRecord(Exception):
    """Bytes that are no record of their schema."""


class DecoderMissing(BridgeCartError):
    """The packages that decode Avro and Protobuf are not installed."""


def decoder_missing(kind: str) -> DecoderMissing:
    """The error of a topic of this kind without the extra."""
    return DecoderMissing(f"{kind} needs packages that are not installed: pip install 'bridgecart[registry]'.")


@dataclass(frozen=True)
class Schema:
    """The text of a schema and its kind (AVRO, PROTOBUF, JSON); `references` are the schemas that it names."""

    kind: str
    text: str
    references: Mapping[str, "Schema"] = field(default_factory=dict)


class Schemas(Protocol):
    """The schemas at hand, by the ids that records carry."""

    def schema_of(self, schema_id: int) -> Schema | None:
        """The schema of the id; None where nobody knows it."""
        ...


class NoSchemas:
    """No schema at all: every id is unknown."""

    def schema_of(self, schema_id: int) -> Schema | None:
        """None."""
        return None


NO_SCHEMAS = NoSchemas()

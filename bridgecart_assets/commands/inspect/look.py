"""A look at records: their forms, the known shape that they have, their paths, and a mapping proposed for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.inspect.forms import (
    AVRO,
    JSON,
    JSON_WITH_ID,
    PROTOBUF,
    WITH_ID,
    Form,
    Forms,
    with_texts_read,
)
from bridgecart_assets.commands.inspect.paths import Document, Path, paths_of
from bridgecart_assets.commands.inspect.presets import Shape, shape_of
from bridgecart_assets.commands.inspect.proposal import proposal
from bridgecart_assets.commands.inspect.records import Header, Records
from bridgecart_assets.commands.inspect.schemas import Ask, ask_nobody, read_forms

_DECODE = {JSON: "json", JSON_WITH_ID: "json-registry", AVRO: "avro-registry"}


@dataclass(frozen=True)
class Look:
    """All that is shown of the records. No mapping where none is needed, or where no record could be read."""

    source: str
    records: int
    values: Forms
    keys: Forms
    shape: Shape | None
    paths: Sequence[Path]
    mapping: str | None

    @property
    def is_own(self) -> bool:
        """True for BridgeCart's own event, which needs no mapping."""
        return self.shape is not None and self.shape.preset is None

    @property
    def remedy(self) -> str | None:
        """Advice on records that could not be read; None where most could."""
        if self.values.counts[WITH_ID] > self.records / 2:
            return "They begin with the id of a schema: set BRIDGECART_SCHEMA_REGISTRY_URL to the registry that has it."
        if self.values.counts[PROTOBUF] > self.records / 2:
            return (
                "Protobuf is read by a mapping that names its descriptor set (protoc --descriptor_set_out): "
                "[decode] value, descriptors and message."
            )
        return None

    def share(self, path: Path) -> float:
        """The share of records in which the path says something."""
        return path.filled / self.records

    def to_json(self) -> dict[str, object]:
        """The look in plain JSON types."""
        paths = [
            {
                "path": path.name,
                "types": list(path.types),
                "filled": round(self.share(path), 4),
                "example": path.example,
            }
            for path in self.paths
        ]
        return {
            "source": self.source,
            "records": self.records,
            "values": dict(self.values.counts),
            "keys": dict(self.keys.counts),
            "schema_ids": self.values.schema_ids,
            "shape": self.shape.meaning if self.shape else None,
            "preset": self.shape.preset if self.shape else None,
            "paths": paths,
            "mapping": self.mapping,
        }


def look_at(records: Records, settings: Settings, ask: Ask = ask_nobody) -> Look:
    """Look at records of any form, with the schemas that are had by asking for them."""
    values, keys = (read_forms(some, settings.max_payload_bytes, ask) for some in (records.values, records.keys))
    documents = [
        {**_read("value", value), **_read("key", key), **_said(headers)}
        for value, key, headers in zip(values.forms, keys.forms, records.headers, strict=True)
    ]
    readable = [document for document in documents if "value" in document]
    shape = shape_of(readable)
    is_own = shape is not None and shape.preset is None
    mapping = None if is_own or not readable else proposal(readable, shape, decode=_decode(values))
    return Look(records.source, len(records.values), values, keys, shape, paths_of(documents), mapping)


def _read(root: str, form: Form) -> Document:
    """The document of a value or a key, if it could be read."""
    return {} if form.document is None else {root: with_texts_read(form.document)}


def _said(headers: Sequence[Header] | None) -> Document:
    """The headers of a record as texts."""
    texts = {one["name"]: (one["value"] or b"").decode(errors="replace") for one in headers or ()}
    return {"headers": with_texts_read(texts)} if texts else {}


def _decode(values: Forms) -> str:
    """The way in which most values that could be read are decoded."""
    return _DECODE[max(_DECODE, key=values.counts.__getitem__)]

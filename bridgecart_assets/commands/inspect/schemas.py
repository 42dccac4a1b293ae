"""Records that begin with the id of a schema, read by the schemas of a registry."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.inspect.forms import AVRO, NOT_AVRO, PROTOBUF, WITH_ID, Form, Forms
from bridgecart_assets.sources.mapping.decoding import BAD_AVRO, Decoder
from bridgecart_assets.sources.mapping.decoding.schemas import NO_SCHEMAS, Schemas
from bridgecart_assets.sources.mapping.decoding.shapes import WHOLE
from bridgecart_assets.sources.registry import KnownSchemas, fetch_schemas, registry_from_settings

# A topic has few schemas: of more ids the most frequent are asked for, the rest is noise that looks like ids.
_MOST_ASKED = 100

Ask = Callable[[Collection[int]], Schemas]
"""The schemas of some ids, as far as somebody knows them."""


def ask_nobody(_: Collection[int]) -> Schemas:
    """No schema at all."""
    return NO_SCHEMAS


def ask_registry(settings: Settings, schema_ids: Collection[int]) -> Schemas:
    """The schemas that the configured registry has; none where none is configured. Raises RegistryFailure."""
    if settings.schema_registry_url is None:
        return NO_SCHEMAS
    fetched = fetch_schemas(registry_from_settings(settings), schema_ids)
    return KnownSchemas({schema.schema_id: schema for schema in fetched})


def read_forms(contents: Sequence[bytes | None], max_bytes: int, ask: Ask) -> Forms:
    """The forms of values or keys, with what their schemas tell of them."""
    forms = Forms.of(contents, max_bytes)
    ids = Counter(form.schema_id for form in forms.forms if form.name == WITH_ID and form.schema_id is not None)
    return with_schemas(forms, contents, ask([one for one, _ in ids.most_common(_MOST_ASKED)])) if ids else forms


def with_schemas(forms: Forms, contents: Sequence[bytes | None], schemas: Schemas) -> Forms:
    """The forms, with what schemas tell of them: Avro is read, Protobuf is named. An unknown id tells nothing."""
    framed = [content if form.name == WITH_ID else None for form, content in zip(forms.forms, contents, strict=True)]
    decoded = Decoder("avro-registry", WHOLE, schemas).decoded(framed)
    documents: dict[int, Mapping[str, object]] = {}
    for group in decoded.groups:
        documents |= zip(group.places.to_pylist(), group.column.to_pylist(), strict=True)
    return Forms(
        [
            _told(form, documents.get(place), decoded.unreadable.get(place), schemas)
            for place, form in enumerate(forms.forms)
        ]
    )


def _told(form: Form, document: Mapping[str, object] | None, unreadable: str | None, schemas: Schemas) -> Form:
    if document is not None:
        return replace(form, name=AVRO, document=document)
    if unreadable == BAD_AVRO:
        return replace(form, name=NOT_AVRO)
    if form.name != WITH_ID or form.schema_id is None:
        return form
    schema = schemas.schema_of(form.schema_id)
    return replace(form, name=PROTOBUF) if schema is not None and schema.kind == "PROTOBUF" else form

"""A schema registry: schemas by the ids that records carry, asked for through Confluent's API.

An answer is either a schema or "not found". Everything else (no answer, a refusal, a page of something else) is an
error of one line, so that nobody takes a registry that is down for one that does not know a schema. What belongs
elsewhere: keeping what was fetched (`warehouse/ingest/schemas.py`).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings, SettingsError
from bridgecart_assets.sources.kafka.redaction import without_secrets
from bridgecart_assets.sources.mapping.decoding import NEEDS_SCHEMAS
from bridgecart_assets.sources.mapping.decoding.schemas import LARGEST_SCHEMA, decoder_missing
from bridgecart_assets.sources.mapping.decoding.schemas import Schema as DecodingSchema

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaReference, SchemaRegistryClient
    from confluent_kafka.schema_registry.error import SchemaRegistryError

T = TypeVar("T")

_LOGIN = "basic.auth.user.info"
_NOT_FOUND = frozenset({40401, 40402, 40403})
"""What registries say where a subject, a version or a schema is none of theirs; a 404 alone may be any page's."""

_DEFAULTS = {"timeout": "10", "max.retries": "2", "retries.wait.ms": "200", "retries.max.wait.ms": "1000"}
_NUMBERS = frozenset({*_DEFAULTS, "cache.capacity", "cache.latest.ttl.sec"})
_MOST_REFERENCES = 100
_LONGEST_REASON = 200
_VARIABLE = "BRIDGECART_SCHEMA_REGISTRY_"


class RegistryFailure(BridgeCartError):
    """The schema registry did not say what a schema is; the message is one line and never holds a secret."""


class NoRegistry(SettingsError):
    """Records are to be decoded by a schema registry, and none is configured."""


@dataclass(frozen=True)
class Registry:
    """A schema registry: its address without login, by which its schemas are kept, and properties of its client."""

    name: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True)
class FetchedSchema:
    """A schema as the registry has it; `references` are the ids of the schemas that it names, by their names in it."""

    schema_id: int
    kind: str
    text: str
    references: Mapping[str, int]


@dataclass(frozen=True)
class KnownSchemas:
    """Schemas of a registry that are at hand, by their ids."""

    schemas: Mapping[int, FetchedSchema]

    def schema_of(self, schema_id: int) -> "DecodingSchema | None":
        """The schema with those that it refers to; None where they are not all at hand."""
        return self._found(schema_id, frozenset())

    def _found(self, schema_id: int, within: frozenset[int]) -> "DecodingSchema | None":
        fetched = self.schemas.get(schema_id)
        if fetched is None or schema_id in within:
            return None
        references = {}
        for name, referred in fetched.references.items():
            found = self._found(referred, within | {schema_id})
            if found is None:
                return None
            references[name] = found
        return DecodingSchema(fetched.kind, fetched.text, references)


def registry_from_settings(settings: Settings) -> Registry:
    """The registry that is configured. Raises NoRegistry."""
    if settings.schema_registry_url is None:
        raise NoRegistry(
            "The mapping decodes records by a schema registry: set BRIDGECART_SCHEMA_REGISTRY_URL to its address."
        )
    addresses = [urlsplit(one.strip()) for one in settings.schema_registry_url.get_secret_value().split(",")]
    # The client's library writes addresses into its log: a login goes another way.
    name = ",".join(_without_login(address) for address in addresses)
    properties = {name: value.get_secret_value() for name, value in settings.schema_registry_properties.items()}
    login = addresses[0].netloc.rpartition("@")[0]
    return Registry(name, {_LOGIN: unquote(login), **properties} if login else properties)


class Decode(Protocol):
    """The ways in which values and keys of a topic are decoded."""

    @property
    def value(self) -> str:
        """One of the mapping's ways of decoding."""

    @property
    def key(self) -> str:
        """One of the mapping's ways of decoding."""


@dataclass(frozen=True)
class SchemaSource:
    """The registry of a topic, and the columns of its records that carry ids of schemas."""

    registry: Registry
    columns: Sequence[str]


def registry_name(settings: Settings) -> str | None:
    """The name by which schemas of the configured registry are kept; None where none is configured."""
    return None if settings.schema_registry_url is None else registry_from_settings(settings).name


def schema_source(settings: Settings, decode: Decode) -> SchemaSource | None:
    """The source of schemas for records that are decoded so; None when they need none. Raises NoRegistry."""
    ways = {"payload": decode.value, "key": decode.key}
    columns = [column for column, way in ways.items() if way in NEEDS_SCHEMAS]
    return SchemaSource(registry_from_settings(settings), columns) if columns else None


def _without_login(address: SplitResult) -> str:
    host = address.netloc.rpartition("@")[2]
    return urlunsplit((address.scheme, host, address.path.rstrip("/"), "", ""))


def fetch_schemas(
    registry: Registry, wanted: Collection[int], is_known: Callable[[int], bool] = lambda _: False
) -> list[FetchedSchema]:
    """The schemas of some ids and those that they refer to, without what is known; by id.

    One that the registry does not have is left out, and so is one of more than a million characters, or one that
    refers to such a one. Raises RegistryFailure, DecoderMissing.
    """
    with _client(registry) as client:
        found: dict[int, FetchedSchema] = {}
        for schema_id in sorted(wanted):
            fetching = _Fetching(client, is_known, found)
            with _explained(registry):
                if fetching.fetch(schema_id):
                    found |= fetching.fetched
        return [found[schema_id] for schema_id in sorted(found)]


class _Fetching:
    """One schema with all that it refers to."""

    def __init__(
        self, client: "SchemaRegistryClient", is_known: Callable[[int], bool], found: Mapping[int, FetchedSchema]
    ) -> None:
        self._client = client
        self._is_known = is_known
        self._found = found
        self.fetched: dict[int, FetchedSchema] = {}

    def fetch(self, schema_id: int) -> bool:
        """True if the registry has it, whole."""
        schema = self._asked(lambda: self._client.get_schema(schema_id))
        return schema is not None and self._take(schema_id, schema)

    def _take(self, schema_id: int, schema: "Schema") -> bool:
        text = schema.schema_str
        if not isinstance(text, str):
            raise TypeError("an answer without a schema")
        if len(text) > LARGEST_SCHEMA or len(self.fetched) > _MOST_REFERENCES:
            return False
        references: dict[str, int] = {}
        # Noted first: one that refers to itself is asked for once.
        self.fetched[schema_id] = FetchedSchema(schema_id, schema.schema_type or "AVRO", text, references)
        for reference in schema.references or ():
            said = self._version_of(reference)
            if said is None or said.schema_id is None:
                return False
            references[str(reference.name)] = said.schema_id
            if not self._has(said.schema_id) and not self._take(said.schema_id, said.schema):
                return False
        return True

    def _version_of(self, reference: "SchemaReference") -> "RegisteredSchema | None":
        subject, version = reference.subject, reference.version
        if subject is None or version is None:
            raise TypeError("a reference to nothing")
        return self._asked(lambda: self._client.get_version(subject, version))

    def _has(self, schema_id: int) -> bool:
        return schema_id in self.fetched or schema_id in self._found or self._is_known(schema_id)

    def _asked(self, ask: "Callable[[], T]") -> "T | None":
        """An answer; None for "not found"."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return ask()
        except SchemaRegistryError as error:
            if error.http_status_code == 404 and error.error_code in _NOT_FOUND:
                return None
            raise


@contextmanager
def _client(registry: Registry) -> Iterator["SchemaRegistryClient"]:
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient
    except ImportError:
        raise decoder_missing("A schema registry") from None
    try:
        client = SchemaRegistryClient({"url": registry.name, **_typed(registry.properties)})
    except (ValueError, TypeError, OSError) as error:
        # OSError: files of certificates that are not there or are none.
        said = without_secrets(registry.properties, str(error))
        raise RegistryFailure(
            f"The client of the schema registry does not accept its properties ({said}); correct {_VARIABLE}*."
        ) from None
    with client:
        yield client


def _typed(properties: Mapping[str, str]) -> dict[str, str | float]:
    return {name: float(value) if name in _NUMBERS else value for name, value in {**_DEFAULTS, **properties}.items()}


@contextmanager
def _explained(registry: Registry) -> Iterator[None]:
    """Failures of the client as RegistryFailure."""
    from confluent_kafka.schema_registry.common._httpx_compat import httpx
    from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError

    try:
        yield
    except SchemaRegistryError as error:
        said = _short(registry, f"HTTP {error.http_status_code}, {error.error_message}")
        raise RegistryFailure(_refusal(registry, error, said)) from None
    except httpx.HTTPError as error:
        raise RegistryFailure(_silence(registry, _short(registry, str(error) or type(error).__name__))) from None
    except OAuthTokenError as error:
        raise RegistryFailure(
            f"No token for the schema registry at {registry.name} ({_short(registry, str(error))}); correct "
            f"{_VARIABLE}BEARER_AUTH_*."
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RegistryFailure(
            f"{registry.name} answers, but not as a schema registry does; correct {_VARIABLE}URL."
        ) from error


def _refusal(registry: Registry, error: "SchemaRegistryError", said: str) -> str:
    if error.http_status_code in (401, 403, 407):
        return (
            f"The schema registry at {registry.name} refuses this user ({said}); correct "
            f"{_VARIABLE}BASIC_AUTH_USER_INFO or what else it asks for."
        )
    if error.http_status_code >= 500 or error.http_status_code in (408, 429):
        return f"The schema registry at {registry.name} cannot answer ({said}); run again when it can."
    return f"{registry.name} answers, but not as a schema registry does ({said}); correct {_VARIABLE}URL."


def _silence(registry: Registry, said: str) -> str:
    if re.search("certificate|ssl|tls", said, re.IGNORECASE):
        return (
            f"The schema registry at {registry.name} cannot be trusted ({said}); name the authority that signed its "
            f"certificate in {_VARIABLE}SSL_CA_LOCATION, and in {_VARIABLE}URL the host that the certificate is for."
        )
    return f"No answer from the schema registry at {registry.name} ({said}); start it or correct {_VARIABLE}URL."


def _short(registry: Registry, text: str) -> str:
    said = without_secrets(registry.properties, text)
    return said if len(said) <= _LONGEST_REASON else f"{said[:_LONGEST_REASON]} ..."

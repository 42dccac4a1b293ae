"""Every setting of BridgeCart: name, unit, default and `BRIDGECART_*` variable.

Settings are read when a command or a run starts, never at import. What belongs elsewhere: table definitions
(`contracts/`) and anything that acts on a setting.
"""

import os
import re
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bridgecart_assets.base.bounds import MOST_SEGMENTS
from bridgecart_assets.base.errors import BridgeCartError

PREFIX = "BRIDGECART_"
# These name our own settings; every other BRIDGECART_KAFKA_* variable is handed to the Kafka client as it is.
OWN_KAFKA_SETTINGS = frozenset({"bootstrap_servers", "topic", "group", "timeout_seconds", "stall_seconds"})
OWN_REGISTRY_SETTINGS = frozenset({"url"})
# Fields without a variable of their own: they hold what is handed on, by the start of its variables' names.
PASSED_ON = {"kafka_": OWN_KAFKA_SETTINGS, "schema_registry_": OWN_REGISTRY_SETTINGS}
PROPERTIES = frozenset(f"{start}properties" for start in PASSED_ON)
# Read by the test suite alone.
_OF_THE_SUITE = frozenset({"require_all"})

Period = Literal["day", "week", "month"]
OrderEvents = Literal["orders", "lines", "states"]

_DAY = 86_400.0  # seconds
_TEN_YEARS = 3_650  # days
_MEMORY = re.compile(r"\s*\d*\.?\d*[1-9]\d*(\.\d*)?\s*[kmgt]i?b\s*", re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Z]{3}")
# Language, script, country: a browser takes whatever has this form.
_CATALOG = re.compile(r"[a-z]\w*(\.\w+)*", re.ASCII | re.IGNORECASE)
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_VISIBLE = re.compile(r"[!-~]+")


class SettingsError(BridgeCartError):
    """A setting has a value that cannot be used; names the variable and the accepted values."""


class Settings(BaseSettings):
    """The settings of one process, immutable. Each field is read from `BRIDGECART_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    data_dir: Path = Field(Path("data"), description="Folder for everything the program writes.")
    kafka_bootstrap_servers: str | None = Field(
        None, description="host:port list of the Kafka brokers. Unset: the embedded broker."
    )
    kafka_topic: str = Field("bridgecart.orders", description="Topic that carries the order events.")
    segment_changes_topic: str = Field(
        "bridgecart.segment-changes",
        description="Topic to which `bridgecart announce` sends changes of segments and lifecycles.",
    )
    kafka_group: str = Field(
        "bridgecart", description="Consumer group whose offsets are committed for monitoring tools only."
    )
    kafka_timeout_seconds: float = Field(10.0, gt=0, le=_DAY, description="Deadline of one broker request, seconds.")
    kafka_stall_seconds: float = Field(
        30.0, gt=0, le=_DAY, description="A read without any progress for this many seconds fails."
    )
    kafka_properties: Annotated[Mapping[str, SecretStr], NoDecode] = Field(
        default_factory=dict,
        description="librdkafka client properties from BRIDGECART_KAFKA_<PROPERTY>, for example SASL and TLS.",
    )
    mapping: Path | None = Field(
        None,
        description="Mapping file (TOML) that says how records of the topic are read as order events. Unset: they are "
        "BridgeCart's own event.",
    )
    schema_registry_url: SecretStr | None = Field(
        None, description="Address of the schema registry, where a mapping decodes records by one."
    )
    schema_registry_properties: Annotated[Mapping[str, SecretStr], NoDecode] = Field(
        default_factory=dict,
        description="Properties of the registry's client from BRIDGECART_SCHEMA_REGISTRY_<PROPERTY>, for example login "
        "and TLS.",
    )
    max_batch_records: int = Field(500_000, ge=1, description="Upper bound of records in one batch.")
    max_batch_bytes: int = Field(
        268_435_456,
        ge=1,
        description="Upper bound of one batch's records in memory, bytes; a batch has at least one record.",
    )
    min_batch_records: int = Field(
        2_000, ge=1, description="The sensor waits for this many new records, but no longer than the delay below."
    )
    max_batch_delay: float = Field(
        30.0,
        ge=0,
        le=_DAY,
        description="Longest wait for more records after the batch before, seconds. 0: every batch starts at once.",
    )
    fail_on_data_loss: bool = Field(
        True,
        description="Stop when the topic lost records that no batch had read. False: record the hole and go on.",
    )
    max_batch_keys: int = Field(
        10_000, ge=1, description="Batches that Dagster lists; keys of older ones are dropped, their rows stay."
    )
    keep_runs: int = Field(
        2_000,
        ge=1,
        description="Finished runs that Dagster keeps; older ones are pruned with their files. What is shown of assets "
        "and batches stays.",
    )
    keep_reports: int = Field(
        36, ge=0, le=120, description="Reports of closed periods that are kept, the newest; older ones are deleted."
    )
    max_batch_attempts: int = Field(
        5, ge=1, description="Failed runs of one batch after which the sensor stops asking for it."
    )
    max_run_minutes: float = Field(
        240.0, gt=0, le=_DAY, description="A run that takes longer hangs, and is ended, minutes."
    )
    max_payload_bytes: int = Field(262_144, ge=1, description="Larger payloads are rejected as oversized, bytes.")
    lock_timeout_seconds: float = Field(
        60.0, gt=0, le=_DAY, description="How long to wait for another process to release the warehouse, seconds."
    )
    run_wait_seconds: float = Field(
        300.0,
        ge=0,
        le=_DAY,
        description="How long `run`, `withdraw`, `forget`, `backup`, `restore` and `doctor --repair` wait for a run in "
        "progress to end, seconds.",
    )
    memory_limit: str | None = Field(
        None,
        description="Memory DuckDB may use before it spills to disk. Unset: 1500MB; less where the container or the "
        "machine has less than 2100 MB.",
    )
    engine: Literal["duckdb", "spark"] = Field(
        "duckdb",
        description="What makes and keeps the tables that grow with orders and customers: duckdb, in the one file, or "
        "spark, in the Iceberg tables of the lake.",
    )
    lake_dir: Path | None = Field(
        None,
        description="Folder of the Iceberg tables, which every worker of Spark sees under the same name. Unset: `lake` "
        "in the data folder.",
    )
    spark_master: str = Field(
        "local[*]", description="Master of Spark as Spark names it, for example spark://host:7077. local: this process."
    )
    spark_jars: str | None = Field(
        None,
        description="Jar files of Iceberg's Spark runtime, separated by commas. Unset: Spark fetches them from Maven "
        "Central.",
    )
    spark_catalog: str | None = Field(
        None,
        description="Catalog of Spark's configuration that has the Iceberg tables, or a namespace in it, for example "
        "prod.bridgecart. Unset: the folder of the lake is the catalog.",
    )
    spark_batch_records: int | None = Field(
        None,
        ge=1,
        description="Batches of so many records or more are read and judged by Spark's workers, smaller ones by this "
        "machine. Unset: a million, and none where Spark runs in this process.",
    )
    calendar_timezone: str = Field(
        "UTC", description="The shop's calendar: time zone whose days, weeks and months all figures are of."
    )
    naive_timezone: str = Field(
        None, validate_default=True, description="Time zone of event times that carry none. Unset: the calendar's."
    )
    amount_is_net: bool = Field(False, description="True when purchase_amount already has the discount taken off.")
    currency: str | None = Field(
        None,
        description="Currency of all amounts, ISO 4217, for example EUR; shown with them. An order in another is "
        "rejected. Unset: a check names the currencies that orders say.",
    )
    locale: str = Field(
        "en",
        description="How the report writes numbers, money and dates: a language and a country, for example de-DE or "
        "ja-JP. Its words stay English.",
    )
    order_events: OrderEvents = Field(
        "orders",
        description="What events of one order are that differ: orders (the first counts, a check names the others), "
        "lines (their sum counts) or states (the last counts).",
    )
    as_of: date | None = Field(
        None, description="Compute as of this date of the calendar (exclusive). Unset: the end of the data clock's day."
    )
    kpi_period: Period = Field("month", description="Calendar period of the KPIs: day, week or month.")
    churn_window_days: int = Field(90, ge=1, le=_TEN_YEARS, description="Window W of the churn rate, days.")
    clv_horizon_days: int = Field(365, ge=1, le=_TEN_YEARS, description="Horizon of the predicted CLV, days.")
    clv_discount_rate: float = Field(0.1, ge=0, le=10, description="Discount rate of the predicted CLV, a year.")
    clv_margin: float = Field(1.0, gt=0, le=1, description="Share of sales that the predicted CLV counts.")
    segments: int | Literal["auto"] = Field(
        4, description="Number of customer segments k of the K-Means model, or auto: chosen at each refit."
    )
    model_seed: int = Field(42, ge=0, lt=2**32, description="Seed of the K-Means fit.")
    model_refit_days: int = Field(
        90, ge=1, le=_TEN_YEARS, description="A model is due again this many days of data after its last fit."
    )
    publish_customers_minutes: float = Field(
        60.0,
        ge=0,
        description="Published files of customers above 4 MB, and the report above a million orders, are renewed no "
        "sooner than this, minutes.",
    )
    report_url: str | None = Field(
        None, description="Address at which the report is served, for links in the UI; `bridgecart up` sets it."
    )
    max_reject_share: float = Field(
        0.05, ge=0, le=1, description="Share of rejected records in a batch above which a check warns."
    )
    max_ignored_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Wrong optional fields in a batch, as a share of its orders, above which a check warns.",
    )
    error_reject_share: float = Field(
        0.5, ge=0, le=1, description="Share of rejected records in a batch above which a check fails."
    )
    max_prediction_error: float = Field(
        0.25,
        gt=0,
        le=10,
        description="Share by which sales of a segment may miss what was expected before a check warns.",
    )

    alert_webhook: SecretStr | None = Field(
        None, description="Where alerts are posted as Slack takes them; its address is a secret. Unset: none are."
    )
    alert_no_data_hours: float = Field(
        24.0, ge=0, le=_TEN_YEARS * 24, description="Hours without a new record after which an alert says so; 0: never."
    )

    @field_validator("data_dir", "mapping", "lake_dir")
    @classmethod
    def _home_is_known(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        try:
            os.fspath(value).encode()
            return value.expanduser()
        except UnicodeEncodeError:
            raise ValueError("its name is not valid UTF-8") from None
        except RuntimeError:
            raise ValueError("no such user; give a folder without ~") from None

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _brokers_without_passwords(cls, value: str | None) -> str | None:
        # Messages name the brokers.
        if value is not None and "@" in value:
            raise ValueError("give host:port; user and password go into BRIDGECART_KAFKA_SASL_USERNAME and _PASSWORD")
        return value

    @field_validator("report_url")
    @classmethod
    def _report_is_a_web_page(cls, value: str | None) -> str | None:
        # It becomes a link in the UI.
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("give an address that begins with http:// or https://")
        return value

    @field_validator("alert_webhook")
    @classmethod
    def _webhook_is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        # Nothing of it is in the message.
        if value is not None and not _is_web_address(value.get_secret_value()):
            raise ValueError("give an address that begins with http:// or https://, without spaces")
        return value

    @field_validator("schema_registry_url")
    @classmethod
    def _registry_is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        # It may hold a login: nothing of it is in the message.
        if value is not None and not all(map(_is_web_address, value.get_secret_value().split(","))):
            raise ValueError("give an address that begins with http:// or https://, without spaces")
        return value

    @field_validator("memory_limit")
    @classmethod
    def _memory_has_a_unit(cls, value: str | None) -> str | None:
        if value is not None and not _MEMORY.fullmatch(value):
            raise ValueError("give a number above zero with its unit, for example 512MB or 2GB")
        return value

    @field_validator("naive_timezone", mode="before")
    @classmethod
    def _naive_times_are_the_calendars(cls, value: object, info: ValidationInfo) -> object:
        # A calendar that is none is told once.
        return info.data.get("calendar_timezone", "UTC") if value is None else value

    @field_validator("calendar_timezone", "naive_timezone")
    @classmethod
    def _timezone_exists(cls, value: str) -> str:
        if value not in _time_zones():
            raise ValueError("no such time zone; give a name of the IANA database, for example Asia/Kolkata")
        return value

    @field_validator("currency")
    @classmethod
    def _currency_is_a_code(cls, value: str | None) -> str | None:
        if value is not None and not _CURRENCY.fullmatch(value):
            raise ValueError("give a code of ISO 4217, three capital letters, for example EUR")
        return value

    @field_validator("spark_catalog")
    @classmethod
    def _catalog_has_plain_names(cls, value: str | None) -> str | None:
        if value is not None and not _CATALOG.fullmatch(value):
            raise ValueError("give names of letters, digits and underscores with dots between, for example prod.shop")
        return value

    @field_validator("locale")
    @classmethod
    def _locale_is_a_tag(cls, value: str) -> str:
        if not _LOCALE.fullmatch(value):
            raise ValueError("give a language and a country as browsers name them, for example de-DE")
        return value

    @field_validator("segments", mode="before")
    @classmethod
    def _segments_are_a_number_or_auto(cls, value: object) -> object:
        if value == "auto" or (str(value).isdecimal() and 2 <= int(str(value)) <= MOST_SEGMENTS):
            return value if value == "auto" else int(str(value))
        raise ValueError(f"give a number from 2 to {MOST_SEGMENTS}, or auto")

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file."""
        return self.data_dir / "bridgecart.duckdb"

    @property
    def lake_path(self) -> Path:
        """Folder of the Iceberg tables."""
        return self.lake_dir or self.data_dir / "lake"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.data_dir / "dagster_home"

    @property
    def published_dir(self) -> Path:
        """Folder of the published Parquet files."""
        return self.data_dir / "published"

    @property
    def report_path(self) -> Path:
        """The web page of `report/segments`."""
        return self.data_dir / "reports" / "segments.html"


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises SettingsError naming the variable, never its value where it may hold a secret.
    """
    # A run asks for them a hundred times. HOME decides what ~ is, and where we are what a relative folder is.
    decisive = {name: value for name, value in os.environ.items() if name == "HOME" or name.upper().startswith(PREFIX)}
    return _settings(frozenset(decisive.items()), Path.cwd())


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each `BRIDGECART_*` variable that no setting reads, with the setting of the nearest name.

    Values are never shown. A variable of another version of BridgeCart is a reason to warn, not to stop.
    """
    names = (name for name, value in environ.items() if name.upper().startswith(PREFIX) and value)
    return [said for name in sorted(names) if (said := _unknown(name)) is not None]


def _unknown(variable: str) -> str | None:
    name = variable[len(PREFIX) :].lower()
    if name in _OF_THE_SUITE.union(Settings.model_fields):
        return None
    start = next((start for start in PASSED_ON if name.startswith(start)), None)
    if start is not None:
        # May be a property of the client, which refuses by name those that it does not know.
        near = get_close_matches(name.removeprefix(start), PASSED_ON[start], n=1, cutoff=0.85)
        meant = [f"{start}{option}" for option in near]
        if not meant:
            return None
    else:
        meant = get_close_matches(name, set(Settings.model_fields) - PROPERTIES, n=1, cutoff=0.7)
    hint = f"did you mean {PREFIX}{meant[0].upper()}?" if meant else "docs/configuration.md has all of them."
    return f"{ascii(variable)[1:-1]} is no setting of this version: {hint}"


@lru_cache(maxsize=1)
def _settings(_decisive: frozenset[tuple[str, str]], folder: Path) -> Settings:
    kafka, registry = (_client_properties(os.environ, start) for start in PASSED_ON)
    try:
        settings = Settings(kafka_properties=kafka, schema_registry_properties=registry)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(item["loc"], item["msg"]) for item in error.errors())) from None
    mapping = settings.mapping and folder / settings.mapping
    lake = settings.lake_dir and folder / settings.lake_dir
    return settings.model_copy(update={"data_dir": folder / settings.data_dir, "mapping": mapping, "lake_dir": lake})


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and _VISIBLE.fullmatch(text) is not None
        )
    except ValueError:
        return False


@cache
def _time_zones() -> frozenset[str]:
    # "localtime" is whatever the machine is set to, and DuckDB does not know it.
    return frozenset({"UTC"} | available_timezones() - {"localtime"})


def _client_properties(environ: Mapping[str, str], start: str) -> dict[str, SecretStr]:
    prefix = f"{PREFIX}{start}".upper()
    names = {name: name[len(prefix) :].lower() for name in environ if name.upper().startswith(prefix)}
    return {
        option.replace("_", "."): SecretStr(environ[name])
        for name, option in names.items()
        if option not in PASSED_ON[start] and environ[name]
    }


def _explain(location: tuple[int | str, ...], message: str) -> str:
    return f"{PREFIX}{'_'.join(str(part) for part in location).upper()}: {message.removeprefix('Value error, ')}"

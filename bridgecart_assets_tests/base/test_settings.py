"""Settings: every variable is read, a wrong value is one line that names its variable, secrets are never shown."""

import pickle
import re
import traceback
from datetime import date
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from bridgecart_assets.base.settings import (
    OWN_KAFKA_SETTINGS,
    PROPERTIES,
    Settings,
    SettingsError,
    load_settings,
    unknown_variables,
)
from bridgecart_assets.sources.kafka.error_hints import OFTEN_SET
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets_tests.support.batching import AT_ONCE

SECRET = "hunter2-top-secret"
ROOT = Path(__file__).parents[2]


def _set(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"BRIDGECART_{name}", value)


def _refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    _set(monkeypatch, **variables)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_without_variables_the_defaults_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BRIDGECART_DATA_DIR")
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.data_dir == tmp_path / "data"
    assert settings.warehouse_path == tmp_path / "data" / "bridgecart.duckdb"
    assert settings.dagster_home == tmp_path / "data" / "dagster_home"
    assert settings.published_dir == tmp_path / "data" / "published"
    assert settings.kafka_bootstrap_servers is None
    assert settings.kafka_topic == "bridgecart.orders"
    assert (settings.kpi_period, settings.churn_window_days, settings.segments) == ("month", 90, 4)
    assert (settings.amount_is_net, settings.as_of) == (False, None)
    assert (settings.calendar_timezone, settings.naive_timezone) == ("UTC", "UTC")
    assert dict(settings.kafka_properties) == {}


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,b:9092", "kafka_bootstrap_servers", "a:9092,b:9092"),
        ("KAFKA_TOPIC", "shop.orders", "kafka_topic", "shop.orders"),
        ("KAFKA_GROUP", "reports", "kafka_group", "reports"),
        ("MAPPING", "/shop/mapping.toml", "mapping", Path("/shop/mapping.toml")),
        ("KAFKA_TIMEOUT_SECONDS", "2.5", "kafka_timeout_seconds", 2.5),
        ("KAFKA_STALL_SECONDS", "3", "kafka_stall_seconds", 3.0),
        ("MAX_BATCH_RECORDS", "7", "max_batch_records", 7),
        ("MAX_BATCH_BYTES", "1000000", "max_batch_bytes", 1_000_000),
        ("MIN_BATCH_RECORDS", "50", "min_batch_records", 50),
        ("MAX_BATCH_DELAY", "0", "max_batch_delay", 0.0),
        ("FAIL_ON_DATA_LOSS", "false", "fail_on_data_loss", False),
        ("MAX_BATCH_KEYS", "100", "max_batch_keys", 100),
        ("KEEP_RUNS", "100", "keep_runs", 100),
        ("KEEP_REPORTS", "12", "keep_reports", 12),
        ("MAX_BATCH_ATTEMPTS", "2", "max_batch_attempts", 2),
        ("MAX_RUN_MINUTES", "0.5", "max_run_minutes", 0.5),
        ("MAX_PAYLOAD_BYTES", "1000", "max_payload_bytes", 1000),
        ("LOCK_TIMEOUT_SECONDS", "0.5", "lock_timeout_seconds", 0.5),
        ("RUN_WAIT_SECONDS", "0", "run_wait_seconds", 0.0),
        ("MEMORY_LIMIT", "512 MiB", "memory_limit", "512 MiB"),
        ("CALENDAR_TIMEZONE", "America/Los_Angeles", "calendar_timezone", "America/Los_Angeles"),
        ("CALENDAR_TIMEZONE", "America/Los_Angeles", "naive_timezone", "America/Los_Angeles"),
        ("NAIVE_TIMEZONE", "Asia/Kolkata", "naive_timezone", "Asia/Kolkata"),
        ("NAIVE_TIMEZONE", "Asia/Kolkata", "calendar_timezone", "UTC"),
        ("AMOUNT_IS_NET", "true", "amount_is_net", True),
        ("AMOUNT_IS_NET", "0", "amount_is_net", False),
        ("AS_OF", "2025-02-01", "as_of", date(2025, 2, 1)),
        ("KPI_PERIOD", "week", "kpi_period", "week"),
        ("CHURN_WINDOW_DAYS", "30", "churn_window_days", 30),
        ("CLV_HORIZON_DAYS", "90", "clv_horizon_days", 90),
        ("CLV_DISCOUNT_RATE", "0", "clv_discount_rate", 0.0),
        ("CLV_MARGIN", "0.35", "clv_margin", 0.35),
        ("SEGMENTS", "6", "segments", 6),
        ("SEGMENTS", "auto", "segments", "auto"),
        ("MODEL_SEED", "0", "model_seed", 0),
        ("MODEL_REFIT_DAYS", "365", "model_refit_days", 365),
        ("PUBLISH_CUSTOMERS_MINUTES", "90", "publish_customers_minutes", 90.0),
        ("SEGMENT_CHANGES_TOPIC", "moves", "segment_changes_topic", "moves"),
        ("REPORT_URL", "https://reports.example/", "report_url", "https://reports.example/"),
        ("ALERT_WEBHOOK", "https://chat.example/a", "alert_webhook", SecretStr("https://chat.example/a")),
        ("SCHEMA_REGISTRY_URL", "https://r.example/v7", "schema_registry_url", SecretStr("https://r.example/v7")),
        ("ALERT_NO_DATA_HOURS", "24", "alert_no_data_hours", 24.0),
        ("MAX_REJECT_SHARE", "1", "max_reject_share", 1.0),
        ("MAX_IGNORED_SHARE", "0", "max_ignored_share", 0.0),
        ("CURRENCY", "EUR", "currency", "EUR"),
        ("LOCALE", "zh-Hant-TW", "locale", "zh-Hant-TW"),
        ("ORDER_EVENTS", "lines", "order_events", "lines"),
        ("MAX_PREDICTION_ERROR", "0.5", "max_prediction_error", 0.5),
        ("ERROR_REJECT_SHARE", "0.25", "error_reject_share", 0.25),
        ("ENGINE", "spark", "engine", "spark"),
        ("LAKE_DIR", "/lake", "lake_dir", Path("/lake")),
        ("SPARK_MASTER", "spark://host:7077", "spark_master", "spark://host:7077"),
        ("SPARK_JARS", "/jars/a.jar,/jars/b.jar", "spark_jars", "/jars/a.jar,/jars/b.jar"),
        ("SPARK_CATALOG", "prod.shop_1", "spark_catalog", "prod.shop_1"),
        ("SPARK_BATCH_RECORDS", "5000000", "spark_batch_records", 5_000_000),
    ],
)
def test_each_variable_sets_its_field(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str, value: object
) -> None:
    _set(monkeypatch, **{variable: text})
    settings = load_settings()
    assert getattr(settings, field) == value
    assert dict(settings.kafka_properties) == {}


def test_every_field_is_in_the_table_of_variables_above() -> None:
    (mark,) = test_each_variable_sets_its_field.pytestmark  # type: ignore[attr-defined]
    tested = {field for _, _, field, _ in mark.args[1]}
    assert tested == set(Settings.model_fields) - {"data_dir", *PROPERTIES}


@pytest.mark.parametrize(
    ("variable", "texts"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", (f"sasl_ssl://shop:{SECRET}@kafka:9092", f"a:9092,shop:{SECRET}@b:9092")),
        ("KAFKA_TIMEOUT_SECONDS", ("0", "-1", "nan", "inf", "1e300", "soon", " ")),
        ("KAFKA_STALL_SECONDS", ("0", "-1", "nan", "inf", "1e300", "soon")),
        ("LOCK_TIMEOUT_SECONDS", ("0", "-1", "nan", "inf", "1e300", "soon")),
        ("MAX_BATCH_RECORDS", ("0", "-1", "many", "1.5", "1e3")),
        ("MAX_BATCH_ATTEMPTS", ("0", "-1", "many")),
        ("SPARK_BATCH_RECORDS", ("0", "-1", "many")),
        ("MAX_RUN_MINUTES", ("0", "-1", "nan", "inf", "1h")),
        ("MAX_PAYLOAD_BYTES", ("0", "-1", "1MB")),
        ("MEMORY_LIMIT", ("lots", "2", "0GB", "-1GB", "80%", "none", "GB")),
        ("CALENDAR_TIMEZONE", ("Mars/Base", "IST", "localtime", "+05:30")),
        ("SPARK_CATALOG", ("1st", "prod.", "prod..shop", "prod; drop", "`prod`", "schön")),
        ("LOCALE", ("german", "de_DE", "de-de", "C.UTF-8", "en-US-u-nu-latn", "*", " ")),
        ("NAIVE_TIMEZONE", ("Mars/Base", "IST", "localtime", "+05:30", "UTC'; drop table raw.orders; --")),
        ("AMOUNT_IS_NET", ("maybe", "2")),
        ("CURRENCY", ("eur", "EURO", "€", "978", "EU")),
        ("AS_OF", ("2025-02-30", "today", "2025-01-01T10:00", "01.02.2025")),
        ("KPI_PERIOD", ("quarter", "Month", "30")),
        ("CHURN_WINDOW_DAYS", ("0", "-90", "3651", "9" * 30, "month", "90.5")),
        ("SEGMENTS", ("1", "13", "0", "four", "4.5", "Auto")),
        ("MODEL_SEED", ("-1", str(2**32), "x")),
        ("MODEL_REFIT_DAYS", ("0", "3651", "9" * 30)),
        ("PUBLISH_CUSTOMERS_MINUTES", ("-1", "often")),
        ("MAX_REJECT_SHARE", ("-0.1", "1.1", "nan", "5%")),
        ("DATA_DIR", ("~nobody-by-this-name/data",)),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, texts: tuple[str, ...]
) -> None:
    for text in texts:
        message = _refusal(monkeypatch, **{variable: text})
        assert message.startswith(f"BRIDGECART_{variable}: "), text
        assert "Value error" not in message
        assert SECRET not in message


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    message = _refusal(monkeypatch, SEGMENTS="1", KPI_PERIOD="never")
    assert "BRIDGECART_SEGMENTS: " in message
    assert "; BRIDGECART_KPI_PERIOD: " in message or message.startswith("BRIDGECART_KPI_PERIOD: ")


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AT_ONCE:
        monkeypatch.delenv(name)
    before = load_settings()
    for name in Settings.model_fields:
        if name not in {"data_dir", *PROPERTIES}:
            monkeypatch.setenv(f"BRIDGECART_{name.upper()}", "")
    _set(monkeypatch, KAFKA_SASL_PASSWORD="", KAFKA_SECURITY_PROTOCOL="")
    assert load_settings() == before


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KPI_PERID", "KPI_PERIOD"),
        ("MEMORYLIMIT", "MEMORY_LIMIT"),
        ("SEGMENT", "SEGMENTS"),
        ("BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_TOPICS", "KAFKA_TOPIC"),
        ("SCHEMA_REGISTRY", "SCHEMA_REGISTRY_URL"),
        ("SCHEMA_REGISTRY_URLS", "SCHEMA_REGISTRY_URL"),
    ],
)
def test_a_mistyped_variable_is_named_with_the_one_that_was_meant(name: str, meant: str) -> None:
    (said,) = unknown_variables({f"BRIDGECART_{name}": SECRET, "PATH": "/bin"})
    assert said == f"BRIDGECART_{name} is no setting of this version: did you mean BRIDGECART_{meant}?"


def test_a_variable_that_nobody_knows_stops_nothing_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, COLOUR="blue")
    assert load_settings() == load_settings()
    assert unknown_variables({"bridgecart_colour": "blue", "BRIDGECART_A\nB": "x", "BRIDGECART_EMPTY": ""}) == [
        "BRIDGECART_A\\nB is no setting of this version: docs/configuration.md has all of them.",
        "bridgecart_colour is no setting of this version: docs/configuration.md has all of them.",
    ]


def test_no_variable_that_is_read_anywhere_is_called_unknown() -> None:
    read = [f"BRIDGECART_{name.upper()}" for name in Settings.model_fields if name not in PROPERTIES]
    properties = [f"BRIDGECART_KAFKA_{name.upper().replace('.', '_')}" for name in OFTEN_SET]
    also = ["BRIDGECART_REQUIRE_ALL", "_BRIDGECART_COMPLETE", "BRIDGECART_KAFKA_GROUP_ID", "bridgecart_kpi_period"]
    assert unknown_variables(dict.fromkeys([*read, *properties, *also], "x")) == []


def test_variables_of_the_repository_are_all_known() -> None:
    """In compose files, workflows and documents; those that tests make up apart."""
    files = [ROOT / "docker-compose.yml", ROOT / ".env.example", ROOT / "README.md", ROOT / "Makefile"]
    files += [file for folder in ("docs", "deploy", "benchmarks", ".github") for file in (ROOT / folder).rglob("*.*")]
    # Byte code and pictures are no texts.
    texts = [file.read_text(encoding="utf-8") for file in files if file.suffix not in (".pyc", ".png")]
    names = {name for text in texts for name in re.findall(r"\bBRIDGECART_[A-Z_]*[A-Z]\b", text)}
    assert len(names) > 10
    assert unknown_variables(dict.fromkeys(names, "x")) == []


def test_every_name_counts_in_small_letters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("bridgecart_kafka_sasl_username", "shop")
    assert list(load_settings().kafka_properties) == ["sasl.username"]


def test_a_folder_whose_name_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _refusal(monkeypatch, DATA_DIR="/tmp/\udcff") == "BRIDGECART_DATA_DIR: its name is not valid UTF-8"


def test_the_data_folder_is_absolute_and_knows_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    _set(monkeypatch, DATA_DIR="shop/data")
    assert load_settings().data_dir == tmp_path / "shop" / "data"
    _set(monkeypatch, DATA_DIR="~/data")
    assert load_settings().data_dir == tmp_path / "home" / "data"


def test_a_relative_mapping_is_that_of_the_folder_the_settings_were_read_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    _set(monkeypatch, MAPPING="mapping.toml")
    assert load_settings().mapping == tmp_path / "mapping.toml"


def test_settings_do_not_change(settings: Settings) -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.segments = 5  # type: ignore[misc]


def test_every_time_zone_that_is_accepted_is_known_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    with duckdb.connect() as connection:
        known = {row[0] for row in connection.execute("select name from pg_timezone_names()").fetchall()}
    for zone in sorted(known & {"UTC", "Asia/Kolkata", "America/New_York", "Europe/Berlin", "Etc/GMT+12"}):
        _set(monkeypatch, CALENDAR_TIMEZONE=zone)
        assert load_settings().naive_timezone == zone


def test_naive_times_may_be_of_another_time_zone_than_the_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, CALENDAR_TIMEZONE="Asia/Kolkata", NAIVE_TIMEZONE="UTC")
    settings = load_settings()
    assert (settings.calendar_timezone, settings.naive_timezone) == ("Asia/Kolkata", "UTC")


# --- client properties


def test_every_other_kafka_variable_is_handed_to_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(
        monkeypatch,
        KAFKA_BOOTSTRAP_SERVERS="a:9092",
        KAFKA_TOPIC="shop.orders",
        KAFKA_GROUP="g",
        KAFKA_TIMEOUT_SECONDS="3",
        KAFKA_STALL_SECONDS="4",
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        KAFKA_SASL_USERNAME="shop",
        KAFKA_SASL_PASSWORD=SECRET,
        KAFKA_SSL_CA_LOCATION="/etc/ca.pem",
        KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM="https",
        KAFKA_PROPERTIES="none of ours",
    )
    connection = kafka_connection(load_settings())
    assert connection.properties == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "shop",
        "sasl.password": SECRET,
        "ssl.ca.location": "/etc/ca.pem",
        "ssl.endpoint.identification.algorithm": "https",
        # No client property: the client refuses it by name, which is better than a silent nothing.
        "properties": "none of ours",
    }
    assert (connection.bootstrap_servers, connection.topic, connection.timeout_seconds) == ("a:9092", "shop.orders", 3)


def test_the_kafka_settings_of_our_own_are_not_handed_on() -> None:
    ours = {name.removeprefix("kafka_") for name in Settings.model_fields if name.startswith("kafka_")}
    assert ours - {"properties"} == OWN_KAFKA_SETTINGS


def test_secrets_are_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, KAFKA_BOOTSTRAP_SERVERS="a:9092", KAFKA_SASL_PASSWORD=SECRET, KAFKA_SSL_KEY_PASSWORD=SECRET)
    settings = load_settings()
    connection = kafka_connection(settings)
    texts = [repr(settings), str(settings), f"{settings}", settings.model_dump_json(), repr(settings.model_dump())]
    assert [text for text in (*texts, repr(connection), str(connection)) if SECRET in text] == []
    assert settings.kafka_properties["sasl.password"].get_secret_value() == SECRET


def test_secrets_are_in_no_error_even_in_the_wrong_place(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, KAFKA_SASL_PASSWORD=SECRET, SEGMENTS=SECRET, AS_OF=SECRET, KAFKA_TIMEOUT_SECONDS=SECRET)
    _set(monkeypatch, NAIVE_TIMEZONE=SECRET, MEMORY_LIMIT=SECRET, AMOUNT_IS_NET=SECRET, KPI_PERIOD=SECRET)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert SECRET not in str(raised.value)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_settings_survive_the_way_into_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, KAFKA_SASL_PASSWORD=SECRET)
    settings = load_settings()
    assert pickle.loads(pickle.dumps(settings)) == settings

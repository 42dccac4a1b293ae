"""The program on a secured Kafka: from topic to KPIs, what a refusal looks like, and that no secret is ever written.

The tests tell one story on one data directory, in the order in which they stand here.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import BrokerRefused
from bridgecart_assets.sources.kafka.groups import committed_offsets
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets_tests.integration.daemon import Daemon
from bridgecart_assets_tests.integration.killable import Ended, Killer
from bridgecart_assets_tests.integration.processes import processes_of, wait_until
from bridgecart_assets_tests.integration.served import Served, up
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.secured import SecuredKafka, variables
from bridgecart_assets_tests.support.state import rows
from bridgecart_assets_tests.support.written import written

pytestmark = pytest.mark.kafka

KEY_PASSWORD = "key-pass-90c1d2ab"
WRONG_PASSWORD = "wrong-pass-5512aa07"
PASSWORD_VARIABLE = "BRIDGECART_KAFKA_SASL_PASSWORD"
WRONG = {PASSWORD_VARIABLE: WRONG_PASSWORD}
TICK_SECONDS = 30.0

FAILURES = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on MessageEvent { message }
  ... on ExecutionStepFailureEvent { error { message stack causes { message stack } } } } } } }"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secured-shop") / "data"


@pytest.fixture(scope="module")
def connection(secured: SecuredKafka) -> KafkaConnection:
    """Of a user with a password who also brings a key that another password opens."""
    user, topic = secured.user(), secured.topic()
    secured.allow_orders(user.name, topic)
    till = secured.authority.issue("till")
    key = {
        "ssl.key.pem": till.key_pem(KEY_PASSWORD),
        "ssl.key.password": KEY_PASSWORD,
        "ssl.certificate.pem": till.certificate_pem,
    }
    return secured.connection(topic, {**secured.sign_in(user), **key})


@pytest.fixture(autouse=True)
def data_dir(data_dir: Path, folder: Path, connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All tests work on one data directory and sign in."""
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(folder))
    for name, value in variables(connection).items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
def secrets(connection: KafkaConnection) -> list[str]:
    """What must not be found anywhere: passwords, also wrong ones, and every line of the key."""
    key = [line for line in connection.properties["ssl.key.pem"].splitlines() if "-----" not in line]
    return [connection.properties["sasl.password"], WRONG_PASSWORD, KEY_PASSWORD, *key]


@pytest.fixture(autouse=True)
def nothing_leaks(
    folder: Path, secrets: list[str], connection: KafkaConnection, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """After every test: no secret in any byte that was written, nor in what was logged."""
    with caplog.at_level(logging.DEBUG):
        yield
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert leaks(secrets, caplog.text) == []
    texts = {str(file): written(file) for file in files}
    assert [file for file, text in texts.items() if leaks(secrets, text)] == []
    # The search finds what is there: the topic's name stands in Dagster's databases.
    assert any(connection.topic in text for text in texts.values())


def leaks(secrets: list[str], text: str) -> list[str]:
    return [secret for secret in secrets if secret in text]


def fails(done: Ended, secrets: list[str], *words: str) -> None:
    """The command failed with one line, and showed no secret."""
    assert done.returncode == 1
    assert leaks(secrets, done.stdout + done.stderr) == []
    (line,) = done.stderr.splitlines()
    assert [word for word in words if word not in line] == []


def test_orders_come_from_the_topic_to_the_kpis(
    killer: Killer, connection: KafkaConnection, secured: SecuredKafka
) -> None:
    assert killer.run("generate", "--orders", "300").returncode == 0
    done = killer.run("run", "--json")
    assert done.returncode == 0, done.stderr
    sent = sum(span.count for span in topic_state(connection).partitions.values())
    assert json.loads(done.stdout)["records"] == sent > 300
    status = json.loads(killer.run("status", "--json").stdout)
    assert (status["lag"], status["rows"]["raw.orders"]) == (0, sent)
    ledger = load_ledger(warehouse_from_settings(load_settings()))
    (ends,) = ledger.ends.values()
    assert committed_offsets(secured.administrator(connection.topic), "bridgecart") == dict(ends)


def test_the_sensor_signs_in_too_and_its_batch_is_taken_in(connection: KafkaConnection) -> None:
    ((before,),) = rows(warehouse_from_settings(load_settings()), "select count(*) from raw.orders")
    Shop(connection, orders=300).sell(50)
    with dagster_instance(load_settings()) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        daemon.tick()
    assert [success for _, success in daemon.launched] == [True]
    assert rows(warehouse_from_settings(load_settings()), "select count(*) from raw.orders") == [(before + 50,)]


def test_a_group_that_may_not_be_committed_to_is_a_warning_and_the_run_succeeds(
    connection: KafkaConnection, secured: SecuredKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = secured.user("reader")
    secured.allow(reader.name, ResourceType.TOPIC, connection.topic, AclOperation.READ)
    Shop(connection, orders=300).sell(10)
    for name, value in variables(secured.connection(connection.topic, secured.sign_in(reader))).items():
        monkeypatch.setenv(name, value)
    with dagster_instance(load_settings()) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        daemon.tick()
        assert [success for _, success in daemon.launched] == [True]
        (run,) = instance.get_runs(dg.RunsFilter(job_name="ingest_batch"), limit=1)
        messages = [entry.user_message for entry in instance.all_logs(run.run_id)]
    (warning,) = [message for message in messages if "consumer group" in message]
    assert "Group authorization failed" in warning
    assert "BRIDGECART_KAFKA_GROUP" in warning


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (WRONG, ["invalid credentials", PASSWORD_VARIABLE]),
        ({"BRIDGECART_KAFKA_SSL_KEY_PASSWORD": WRONG_PASSWORD}, ["ssl.key.pem", "BRIDGECART_KAFKA_SSL_KEY_PASSWORD"]),
        ({"BRIDGECART_KAFKA_SSL_CA_LOCATION": ""}, ["certificate", "BRIDGECART_KAFKA_SSL_CA_LOCATION"]),
        ({"BRIDGECART_KAFKA_TOPIC": "not-for-you"}, ["uthorization failed", "READ", "'not-for-you'"]),
        ({"BRIDGECART_KAFKA_SASL_MECHANISM": WRONG_PASSWORD}, ["Unsupported SASL mechanism"]),
    ],
)
def test_a_command_that_is_refused_says_so_in_one_line(
    killer: Killer, secrets: list[str], settings: dict[str, str], words: list[str]
) -> None:
    fails(killer.run("run", **settings), secrets, *words)
    fails(killer.run("generate", "--orders", "300", **settings), secrets, *words)
    status = killer.run("status", **settings)
    assert status.returncode == 0
    assert "Lag            unknown" in status.stdout
    assert [word for word in words if word not in status.stdout] == []
    assert leaks(secrets, status.stdout + status.stderr) == []


def test_tracebacks_and_what_the_client_says_about_itself_hold_no_secret(killer: Killer, secrets: list[str]) -> None:
    talkative = {"BRIDGECART_KAFKA_DEBUG": "all"}
    for done in (killer.run("status", **talkative), killer.run("--debug", "run", **talkative, **WRONG)):
        assert "SASL" in done.stderr
        assert leaks(secrets, done.stdout + done.stderr) == []
    assert "Traceback" in done.stderr


def test_a_run_that_is_refused_keeps_the_reason_in_its_record(
    connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shop(connection, orders=300).sell(5)
    with dagster_instance(load_settings()) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        answer = daemon.evaluate()
        assert isinstance(answer, dg.SensorResult)
        daemon.register(answer)
        monkeypatch.setenv(PASSWORD_VARIABLE, WRONG_PASSWORD)
        daemon.launch(answer)
        assert [success for _, success in daemon.launched] == [False]
        with pytest.raises(BrokerRefused, match="invalid credentials"):
            daemon.evaluate()


def test_the_ui_shows_refused_ticks_and_runs_without_secrets(folder: Path, secrets: list[str]) -> None:
    with up(folder, settings=WRONG) as served:
        ticks = wait_until(lambda: failed_ticks(served), TICK_SECONDS, "a tick fails")
        assert "invalid credentials" in str(ticks[0]["error"])
        assert PASSWORD_VARIABLE in str(ticks[0]["error"])
        run = served.materialize(served.partitions()[0])
        assert [found["status"] for found in served.runs(runIds=[run])] == ["FAILURE"]
        events = served.ask(FAILURES, run=run)["logsForRun"]["events"]
        (error,) = [event["error"] for event in events if event.get("error")]
        assert "invalid credentials" in json.dumps(error)
        assert leaks(secrets, json.dumps([ticks, events, served.runs()])) == []
        assert [process for process in processes_of(folder) if leaks(secrets, " ".join(process.cmdline()))] == []
        assert leaks(secrets, served.output.read_text()) == []


def failed_ticks(served: Served) -> list[dict[str, Any]]:
    return [tick for tick in served.ticks() if tick["status"] == "FAILURE"]

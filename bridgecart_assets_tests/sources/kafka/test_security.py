"""Passwords, certificates and access rights on a real Apache Kafka: what works, and what a refusal says."""

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]

from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import KafkaFailure
from bridgecart_assets.sources.kafka.groups import commit_offsets, committed_offsets
from bridgecart_assets.sources.kafka.offsets import plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.sources.kafka.certificates import Authority, Identity
from bridgecart_assets_tests.sources.kafka.secured import MISNAMED, MUTUAL, SecuredKafka, User

pytestmark = pytest.mark.kafka

KEY_PASSWORD = "key-pass-5b1f09"
GROUP = "bridgecart"
RECORDS = [(None, b"order", 1_000)] * 3


@pytest.fixture(scope="module")
def user(secured: SecuredKafka) -> User:
    """May do nothing."""
    return secured.user()


@pytest.fixture(scope="module")
def client(secured: SecuredKafka) -> Identity:
    """A client certificate, without any rights."""
    return secured.authority.issue("till")


@pytest.fixture(scope="module")
def topic(secured: SecuredKafka) -> str:
    return secured.topic()


def read(connection: KafkaConnection) -> int:
    plan = plan_batch(batch_key="b1", committed={}, state=topic_state(connection), max_records=1_000)
    return sum(chunk.num_rows for chunk in read_slice(connection, plan, stall_seconds=5))


def use(connection: KafkaConnection) -> None:
    """Everything that BridgeCart does with a topic."""
    assert produce(connection, RECORDS, flush_seconds=10) == 3
    assert read(connection) == 3
    commit_offsets(connection, GROUP, {0: 1})
    assert committed_offsets(connection, GROUP) == {0: 1}


def refusal(connection: KafkaConnection, act: Callable[[KafkaConnection], Any] = topic_state) -> str:
    """The one line that a refusal says; it and everything chained to it hold no secret."""
    with pytest.raises(KafkaFailure) as raised:
        act(connection)
    shown = "".join(traceback.format_exception(raised.value))
    hidden = [name for name in connection.properties if name.endswith((".password", ".pem"))]
    assert [name for name in hidden if leaks(connection.properties[name], shown)] == []
    message = str(raised.value)
    assert "\n" not in message
    return message


def leaks(secret: str, text: str) -> bool:
    return any(line in text for line in secret.splitlines() if "-----" not in line)


def with_key(secured: SecuredKafka, client: Identity) -> dict[str, str | None]:
    """Properties of a client that signs in with its certificate."""
    return {
        "security.protocol": "SSL",
        "ssl.ca.location": str(secured.trusted),
        "ssl.key.pem": client.key_pem(KEY_PASSWORD),
        "ssl.key.password": KEY_PASSWORD,
        "ssl.certificate.pem": client.certificate_pem,
    }


# --- what works


def test_a_password_over_tls_lets_orders_in_and_out(secured: SecuredKafka) -> None:
    user, topic = secured.user(), secured.topic()
    secured.allow_orders(user.name, topic)
    use(secured.connection(topic, secured.sign_in(user)))


def test_a_plain_password_over_tls_does_too(secured: SecuredKafka) -> None:
    topic = secured.topic()
    secured.allow_orders(secured.plain_user.name, topic)
    use(secured.connection(topic, secured.sign_in(secured.plain_user, "PLAIN")))


def test_a_client_certificate_does_too_its_key_locked_with_a_password(secured: SecuredKafka) -> None:
    client, topic = secured.authority.issue("cashier"), secured.topic()
    secured.allow_orders("CN=cashier", topic)
    use(secured.connection(topic, with_key(secured, client), MUTUAL))


def test_the_key_may_be_in_a_file_or_in_a_keystore(secured: SecuredKafka, tmp_path: Path) -> None:
    client, topic = secured.authority.issue("auditor"), secured.topic()
    secured.allow_orders("CN=auditor", topic)
    key, certificate, keystore = (tmp_path / name for name in ("key.pem", "certificate.pem", "keystore.p12"))
    key.write_text(client.key_pem(KEY_PASSWORD))
    certificate.write_text(client.certificate_pem)
    keystore.write_bytes(client.keystore(KEY_PASSWORD))
    of_files = {"ssl.key.location": str(key), "ssl.certificate.location": str(certificate)}
    for properties in (
        {**of_files, "ssl.key.password": KEY_PASSWORD},
        {"ssl.keystore.location": str(keystore), "ssl.keystore.password": KEY_PASSWORD},
    ):
        trust = {"security.protocol": "SSL", "ssl.ca.location": str(secured.trusted)}
        assert len(topic_state(secured.connection(topic, {**trust, **properties}, MUTUAL)).partitions) == 2


def test_the_host_name_is_verified_unless_that_is_switched_off(secured: SecuredKafka, topic: str) -> None:
    trust = {"security.protocol": "SSL", "ssl.ca.location": str(secured.trusted)}
    message = refusal(secured.connection(topic, trust, MISNAMED))
    assert "certificate verify failed" in message
    assert "BRIDGECART_KAFKA_SSL_CA_LOCATION" in message
    assert "host" in message.partition("; ")[2]
    unverified = secured.connection(topic, {**trust, "ssl.endpoint.identification.algorithm": "none"}, MISNAMED)
    assert len(topic_state(unverified).partitions) == 2


# --- who is refused


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sasl.password": "wrong-7d1c55e0"}, ["invalid credentials", "_SASL_USERNAME", "_SASL_PASSWORD"]),
        ({"sasl.username": "nobody-7d1c55e0"}, ["invalid credentials", "_SASL_USERNAME", "_SASL_PASSWORD"]),
        ({"sasl.mechanism": "SCRAM-SHA-256"}, ["SCRAM-SHA-512", "_SASL_MECHANISM"]),
        ({"ssl.ca.location": None}, ["certificate verify failed", "_SSL_CA_LOCATION"]),
        ({"security.protocol": "SASL_PLAINTEXT"}, ["no answer", "_SECURITY_PROTOCOL"]),
        ({"security.protocol": "SSL"}, ["no answer", "_SECURITY_PROTOCOL"]),
        ({"security.protocol": None}, ["no answer", "_SECURITY_PROTOCOL"]),
    ],
)
def test_who_signs_in_wrongly_is_told_what_to_correct(
    secured: SecuredKafka, user: User, topic: str, changes: dict[str, str | None], words: list[str]
) -> None:
    connection = secured.connection(topic, {**secured.sign_in(user), **changes})
    message = refusal(replace(connection, timeout_seconds=1.5))
    assert connection.bootstrap_servers in message
    assert [word for word in words if word not in message] == []


def test_a_broker_whose_certificate_is_not_trusted_is_not_talked_to(
    secured: SecuredKafka, user: User, topic: str, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.pem"
    stranger.write_text(Authority.invent("Somebody else").certificate_pem)
    message = refusal(secured.connection(topic, {**secured.sign_in(user), "ssl.ca.location": str(stranger)}))
    assert "certificate verify failed" in message
    assert "BRIDGECART_KAFKA_SSL_CA_LOCATION" in message


def test_a_client_without_a_trusted_certificate_is_told_at_once(secured: SecuredKafka, topic: str) -> None:
    stranger = Authority.invent("Somebody else").issue("till")
    none = {"ssl.key.pem": None, "ssl.key.password": None, "ssl.certificate.pem": None}
    for changes in (none, {}):
        connection = secured.connection(topic, {**with_key(secured, stranger), **changes}, MUTUAL)
        started = time.monotonic()
        message = refusal(connection)
        assert time.monotonic() - started < connection.timeout_seconds / 2
        assert "BRIDGECART_KAFKA_SSL_CERTIFICATE_" in message


def test_a_client_that_encrypts_is_told_that_the_broker_does_not(secured: SecuredKafka, user: User, topic: str) -> None:
    servers = secured.administrator(topic).bootstrap_servers
    message = refusal(KafkaConnection(servers, topic, secured.sign_in(user), timeout_seconds=1))
    assert "SSL" in message
    assert "BRIDGECART_KAFKA_SECURITY_PROTOCOL" in message


@pytest.mark.parametrize("password", ["wrong-0c6e", None])
def test_a_key_that_its_password_does_not_open_is_named_with_the_password(
    secured: SecuredKafka, client: Identity, topic: str, tmp_path: Path, password: str | None
) -> None:
    key = tmp_path / "key.pem"
    key.write_text(client.key_pem(KEY_PASSWORD))
    for place in ({}, {"ssl.key.pem": None, "ssl.key.location": str(key)}):
        properties = {**with_key(secured, client), **place, "ssl.key.password": password}
        message = refusal(secured.connection(topic, properties, MUTUAL))
        assert "ssl.key." in message
        assert "BRIDGECART_KAFKA_SSL_KEY_PASSWORD" in message


# --- what is not allowed


def allowed(secured: SecuredKafka, *operations: AclOperation) -> KafkaConnection:
    """A connection of a user with these rights on a topic, and none else."""
    user, topic = secured.user(), secured.topic()
    secured.allow(user.name, ResourceType.TOPIC, topic, *operations)
    return secured.connection(topic, secured.sign_in(user))


@pytest.mark.parametrize(
    ("operations", "act", "right"),
    [
        ([], topic_state, "READ"),
        ([], lambda connection: produce(connection, RECORDS), "WRITE"),
        ([AclOperation.DESCRIBE], topic_state, "READ"),
        ([AclOperation.READ], lambda connection: produce(connection, RECORDS, flush_seconds=10), "WRITE"),
    ],
)
def test_a_missing_right_on_the_topic_is_named(
    secured: SecuredKafka, operations: list[AclOperation], act: Callable[[KafkaConnection], Any], right: str
) -> None:
    connection = allowed(secured, *operations)
    started = time.monotonic()
    message = refusal(connection, act)
    assert time.monotonic() - started < connection.timeout_seconds / 2
    assert "Topic authorization failed" in message
    assert f"'{connection.topic}'" in message
    assert right in message.partition("; ")[2]


@pytest.mark.parametrize(
    "act",
    [
        lambda connection: commit_offsets(connection, GROUP, {0: 1}),
        lambda connection: committed_offsets(connection, GROUP),
    ],
    ids=["commit", "committed"],
)
def test_a_missing_right_on_the_group_is_named(secured: SecuredKafka, act: Callable[[KafkaConnection], Any]) -> None:
    message = refusal(replace(allowed(secured, AclOperation.READ), timeout_seconds=1), act)
    assert "Group authorization failed" in message
    assert "READ" in message.partition("; ")[2]
    assert "BRIDGECART_KAFKA_GROUP" in message


def test_orders_are_read_without_any_right_on_groups(secured: SecuredKafka) -> None:
    connection = allowed(secured, AclOperation.READ)
    produce(secured.administrator(connection.topic), RECORDS)
    assert read(connection) == 3


def test_who_may_only_write_to_a_topic_need_not_create_it(secured: SecuredKafka) -> None:
    connection = allowed(secured, AclOperation.WRITE)
    assert create_topic(connection, 2) is False
    assert produce(connection, RECORDS, flush_seconds=10) == 3


def test_who_may_not_create_a_topic_is_told_so(secured: SecuredKafka) -> None:
    user = secured.user()
    connection = secured.connection(f"{user.name}-orders", secured.sign_in(user))
    secured.allow(user.name, ResourceType.TOPIC, connection.topic, AclOperation.WRITE)
    message = refusal(connection, lambda connection: create_topic(connection, 1))
    assert f"'{connection.topic}'" in message
    assert "CREATE" in message.partition("; ")[2]

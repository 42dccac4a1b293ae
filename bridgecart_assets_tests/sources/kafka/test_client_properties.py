"""Client properties: passed through as they are, never shown, never stronger than what exactly once rests on."""

import random
import traceback
from collections.abc import Callable, Mapping

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.sources.kafka.clients import open_admin, open_consumer, open_producer
from bridgecart_assets.sources.kafka.connection import KafkaConnection, redact
from bridgecart_assets.sources.kafka.error_hints import OFTEN_SET
from bridgecart_assets.sources.kafka.errors import BrokerRefused, InvalidClientProperty, ProduceFailed
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.groups import committed_offsets
from bridgecart_assets.sources.kafka.offsets import plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.reading import read_slice
from bridgecart_assets_tests.sources.kafka.certificates import Authority
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, only_apache

SECRET = "hunter2-top-secret"
PEM = Authority.invent("The shop's authority").key_pem()

# What a careless hand sets, and librdkafka's other names for it.
AGAINST_THE_RULES = {
    "BRIDGECART_KAFKA_ISOLATION_LEVEL": "read_uncommitted",
    "BRIDGECART_KAFKA_ENABLE_AUTO_COMMIT": "true",
    "BRIDGECART_KAFKA_AUTO_COMMIT_INTERVAL_MS": "1",
    "BRIDGECART_KAFKA_AUTO_OFFSET_RESET": "earliest",
    "BRIDGECART_KAFKA_ENABLE_PARTITION_EOF": "false",
    "BRIDGECART_KAFKA_CHECK_CRCS": "false",
    "BRIDGECART_KAFKA_GROUP_ID": "foreign",
    "BRIDGECART_KAFKA_GROUP_PROTOCOL": "consumer",
    "BRIDGECART_KAFKA_METADATA_BROKER_LIST": "127.0.0.1:1",
    "BRIDGECART_KAFKA_REQUEST_REQUIRED_ACKS": "0",
    "BRIDGECART_KAFKA_DELIVERY_TIMEOUT_MS": "1",
    "BRIDGECART_KAFKA_DELIVERY_REPORT_ONLY_ERROR": "false",
}


def consumer(connection: KafkaConnection) -> None:
    with open_consumer(connection):
        pass


def producer(connection: KafkaConnection) -> None:
    open_producer(connection, defaults={}, required={})[0].close()


def admin(connection: KafkaConnection) -> None:
    with open_admin(connection):
        pass


def refusal(properties: Mapping[str, str], open_client: Callable[[KafkaConnection], None] = consumer) -> str:
    """The line that says what a client does not accept; no value is in it or in anything chained to it."""
    with pytest.raises(InvalidClientProperty) as raised:
        open_client(KafkaConnection("127.0.0.1:1", "orders", properties))
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    message = str(raised.value)
    assert "\n" not in message
    return message


# --- passed through


def test_a_name_the_client_does_not_know_is_named_as_the_variable_it_came_from() -> None:
    message = refusal({"sasl.pasword": SECRET})
    assert 'No such configuration property: "sasl.pasword"' in message
    assert "BRIDGECART_KAFKA_SASL_PASWORD (did you mean BRIDGECART_KAFKA_SASL_PASSWORD?)" in message
    assert "did you mean" not in refusal({"colour.of.the.shop": SECRET})
    assert "did you mean" not in refusal({"linger.ms": SECRET})


def test_every_name_that_is_proposed_is_one_that_the_client_knows() -> None:
    for name in OFTEN_SET:
        with pytest.raises(KafkaException) as raised:
            # The second name is wrong for certain; the client names the first that it does not know.
            Producer({name: "no-such-value", "no.such.name": "x"})
        assert f'No such configuration property: "{name}"' not in str(raised.value)


@pytest.mark.parametrize("name", ["LOG_LEVEL", "ERROR_CB", "OAUTH_CB", "ENABLED_EVENTS", "LOGGER", "ON_DELIVERY"])
def test_what_no_variable_can_express_is_refused_and_not_ignored(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv(f"BRIDGECART_KAFKA_{name}", "7")
    assert f"BRIDGECART_KAFKA_{name}" in refusal(kafka_connection(load_settings()).properties)


@pytest.mark.parametrize("open_client", [consumer, producer, admin])
@pytest.mark.parametrize(
    "name",
    [
        "builtin.features",
        "client.dns.lookup",
        "debug",
        "default.topic.config",
        "linger.ms",
        "log_cb",
        "oauth_cb",
        "partitioner",
        "plugin.library.paths",
        "sasl.mechanism",
        "sasl.oauthbearer.method",
        "security.protocol",
        "socket.timeout.ms",
        "ssl.endpoint.identification.algorithm",
        "stats_cb",
        "throttle_cb",
    ],
)
def test_a_secret_in_the_wrong_place_is_refused_and_not_shown(
    name: str, open_client: Callable[[KafkaConnection], None]
) -> None:
    login = {"security.protocol": "SASL_SSL", "sasl.username": "shop", "sasl.password": "pw"}
    assert "BRIDGECART_KAFKA_" in refusal({**login, name: SECRET}, open_client)


@pytest.mark.parametrize(
    "properties",
    [
        {"ssl.key.pem": SECRET},
        {"ssl.key.pem": PEM.replace("MIG", SECRET)},
        {"ssl.certificate.pem": SECRET},
        {"ssl.ca.pem": SECRET},
        {"ssl.key.pem": f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{SECRET}\n", "ssl.key.password": SECRET},
        {"ssl.keystore.location": "nowhere.p12", "ssl.keystore.password": SECRET},
        {"ssl.providers": SECRET},
        {"ssl.cipher.suites": SECRET},
    ],
)
def test_a_key_the_client_cannot_use_is_refused_and_not_shown(properties: dict[str, str]) -> None:
    assert "BRIDGECART_KAFKA_" in refusal({"security.protocol": "SSL", **properties})


@pytest.mark.parametrize("name", ["ssl.ca.location", "ssl.certificate.location", "ssl.key.location"])
def test_a_file_that_is_not_there_is_named(name: str) -> None:
    message = refusal({"security.protocol": "SSL", name: "/nowhere/file.pem"})
    assert f"there is no such {name}" in message
    assert f"BRIDGECART_KAFKA_{name.upper().replace('.', '_')}" in message


def test_a_token_that_cannot_be_had_is_refused_and_its_configuration_not_shown() -> None:
    with pytest.raises(BrokerRefused) as raised:
        topic_state(
            KafkaConnection(
                "127.0.0.1:1",
                "orders",
                {
                    "security.protocol": "SASL_PLAINTEXT",
                    "sasl.mechanism": "OAUTHBEARER",
                    "enable.sasl.oauthbearer.unsecure.jwt": "true",
                    "sasl.oauthbearer.config": f"principal=shop secret={SECRET}",
                },
                timeout_seconds=5,
            )
        )
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert "OAUTHBEARER token" in str(raised.value)


# --- never shown


def test_ordinary_values_stay_in_messages() -> None:
    properties = {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "PLAIN",
        "enable.idempotence": "true",
        "ssl.endpoint.identification.algorithm": "https",
        "message.max.bytes": "1000000",
    }
    said = "sasl_ssl://kafka: PLAIN true https 1000000"
    assert redact(KafkaConnection("kafka:9092", "orders", properties), said) == said


def test_a_short_secret_is_hidden_without_harm_to_the_words_around_it() -> None:
    connection = KafkaConnection("kafka:9092", "orders", {"sasl.password": "pin", "ssl.key.password": "+x1"})
    said = "spinning: pin, 'pin' and pins failed after a+x1"
    assert redact(connection, said) == "spinning: ***, '***' and pins failed after a***"


def test_a_key_of_many_lines_is_hidden_whole_in_lines_and_cut_off() -> None:
    connection = KafkaConnection("kafka:9092", "orders", {"ssl.key.pem": PEM})
    lines = [line for line in PEM.splitlines() if "-----" not in line]
    for said in (PEM, " ".join(PEM.split()), f'read "{lines[0]}" at', f"read {lines[1][:40]}", PEM[:80]):
        shown = redact(connection, said)
        assert "***" in shown
        assert [line for line in lines if line[:20] in shown] == []


def test_a_part_of_a_configuration_is_hidden() -> None:
    connection = KafkaConnection("kafka:9092", "orders", {"sasl.oauthbearer.config": "principal=shop pw=abc"})
    assert redact(connection, "unrecognized, beginning at: pw=abc") == "unrecognized, beginning at: ***"


def test_the_password_inside_an_address_is_hidden() -> None:
    address = {"sasl.oauthbearer.token.endpoint.url": "https://shop:s3cr3t@login.example.com/token"}
    connection = KafkaConnection("kafka:9092", "orders", address)
    assert redact(connection, "login.example.com refused s3cr3t") == "login.example.com refused ***"
    assert "s3cr3t" not in redact(connection, f"no token from {address['sasl.oauthbearer.token.endpoint.url']}")


# --- never stronger than what exactly once rests on


@only_apache
def test_properties_that_would_lose_or_double_records_are_overruled(
    topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = topic(1)
    for name, value in AGAINST_THE_RULES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", plain.bootstrap_servers)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", plain.topic)
    connection = kafka_connection(load_settings())
    abort_one_record(connection)
    produce(connection, [(None, b"counts", 1_000)])
    plan = plan_batch(batch_key="b1", committed={}, state=topic_state(connection), max_records=10)
    (chunk,) = read_slice(connection, plan)
    assert chunk["payload"].to_pylist() == [b"counts"]
    assert committed_offsets(plain, "foreign") is None
    with open_consumer(connection) as (reader, _):
        reader.assign([TopicPartition(plain.topic, 0, 1_000)])
        (event,) = reader.consume(1, timeout=10)
        error = event.error()
        assert error is not None
        assert error.code() == KafkaError._AUTO_OFFSET_RESET


@only_apache
def test_records_are_acknowledged_by_the_broker_whatever_acks_is_set_to(topic: TopicFactory) -> None:
    # With acks=0 the client takes a record for delivered that the broker has refused.
    plain = topic(1, max_message_bytes="1000")
    careless = KafkaConnection(plain.bootstrap_servers, plain.topic, {"acks": "0"})
    with pytest.raises(ProduceFailed):
        produce(careless, [(None, random.Random(1).randbytes(5_000), 1_000)], flush_seconds=10)


def abort_one_record(connection: KafkaConnection) -> None:
    producer = Producer(
        {"bootstrap.servers": connection.bootstrap_servers, "transactional.id": connection.topic, "log_level": 0}
    )
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(connection.topic, b"aborted", partition=0)
    producer.flush(10)
    producer.abort_transaction(10)

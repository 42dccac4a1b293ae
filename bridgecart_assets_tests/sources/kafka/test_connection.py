from bridgecart_assets.sources.kafka.connection import KafkaConnection, client_config, redact

SECRET = {"sasl.username": "shop", "sasl.password": "hunter2", "security.protocol": "SASL_SSL"}


def test_a_connection_never_shows_its_properties() -> None:
    connection = KafkaConnection("kafka:9092", "orders", SECRET)
    assert "hunter2" not in f"{connection} {connection!r}"
    assert "kafka:9092" in repr(connection)


def test_a_connection_can_be_a_key() -> None:
    assert KafkaConnection("kafka:9092", "orders", SECRET) in {KafkaConnection("kafka:9092", "orders", SECRET)}


def test_values_of_properties_are_cut_out_of_messages_on_one_line() -> None:
    connection = KafkaConnection("kafka:9092", "orders", SECRET)
    assert redact(connection, "SASL_SSL failed\n for shop with hunter2") == "SASL_SSL failed for *** with ***"


def test_callers_win_over_defaults_and_lose_where_correctness_depends_on_it() -> None:
    connection = KafkaConnection("kafka:9092", "orders", {"linger.ms": "5", "isolation.level": "read_uncommitted"})
    config = client_config(connection, defaults={"linger.ms": 20}, required={"isolation.level": "read_committed"})
    assert config["linger.ms"] == "5"
    assert config["isolation.level"] == "read_committed"
    assert config["bootstrap.servers"] == "kafka:9092"

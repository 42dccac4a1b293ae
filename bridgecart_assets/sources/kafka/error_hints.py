"""Remedies: what librdkafka and brokers refuse, in one line that says what to do."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from confluent_kafka import KafkaError

from bridgecart_assets.sources.kafka.redaction import without_secrets

_SIGN_IN = (
    "correct BRIDGECART_KAFKA_SASL_USERNAME, BRIDGECART_KAFKA_SASL_PASSWORD, BRIDGECART_KAFKA_SASL_MECHANISM or what "
    "else that mechanism needs"
)
_CERTIFICATE = (
    "set BRIDGECART_KAFKA_SSL_CERTIFICATE_LOCATION and BRIDGECART_KAFKA_SSL_KEY_LOCATION to a client certificate that "
    "the broker trusts"
)
_REMEDIES = {
    KafkaError._AUTHENTICATION: _SIGN_IN,
    KafkaError.SASL_AUTHENTICATION_FAILED: _SIGN_IN,
    KafkaError.UNSUPPORTED_SASL_MECHANISM: _SIGN_IN,
    KafkaError._SSL: (
        "name the authority that signed the broker's certificate in BRIDGECART_KAFKA_SSL_CA_LOCATION, and in "
        "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS the host that the certificate is for"
    ),
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (
        "allow its user READ on topic {topic!r}; for `bridgecart generate` also WRITE, and CREATE if it is not there"
    ),
    KafkaError.GROUP_AUTHORIZATION_FAILED: (
        "allow its user READ on the consumer group, or name one in BRIDGECART_KAFKA_GROUP that it may use"
    ),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "allow its user on the cluster what it asked for",
}
_PRODUCE_REMEDIES = {
    KafkaError.INVALID_TIMESTAMP: (
        "they are dated too early or too late for the topic: raise its message.timestamp.before.max.ms or "
        "message.timestamp.after.max.ms"
    ),
    KafkaError.MSG_SIZE_TOO_LARGE: "they are too large for the topic: raise its max.message.bytes",
}
# So librdkafka names a node that it learned of from another: by its number; those it was given, as "bootstrap".
_ADVERTISED = re.compile(r"(?P<address>[^\s/]+:\d+)/(?P<node>\d+): ")
_OBJECTS = ("logger", "default.topic.config")
_UNKNOWN = "No such configuration property"
# The client does not say which properties it has; these are the ones that people set.
OFTEN_SET = (
    *("security.protocol", "client.id", "client.rack", "group.instance.id", "debug", "metadata.max.age.ms"),
    *("sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"),
    *("sasl.kerberos.service.name", "sasl.kerberos.principal", "sasl.kerberos.keytab", "sasl.kerberos.kinit.cmd"),
    *("sasl.oauthbearer.method", "sasl.oauthbearer.config", "sasl.oauthbearer.client.id", "sasl.oauthbearer.scope"),
    *("sasl.oauthbearer.client.secret", "sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.extensions"),
    *("ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location", "ssl.certificate.pem", "ssl.key.location"),
    *("ssl.key.pem", "ssl.key.password", "ssl.keystore.location", "ssl.keystore.password", "ssl.crl.location"),
    *("ssl.cipher.suites", "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification"),
    *("broker.address.family", "client.dns.lookup", "socket.timeout.ms", "socket.keepalive.enable"),
    *("socket.connection.setup.timeout.ms", "connections.max.idle.ms", "reconnect.backoff.ms", "message.max.bytes"),
    *("reconnect.backoff.max.ms", "fetch.wait.max.ms", "fetch.min.bytes", "fetch.max.bytes"),
    *("max.partition.fetch.bytes", "receive.message.max.bytes", "compression.type", "linger.ms", "batch.size"),
)
_PASSWORDS = {"ssl.key.": "ssl.key.password", "ssl.keystore.": "ssl.keystore.password"}


def is_refusal(error: KafkaError) -> bool:
    """True if a broker will not have this client, so that waiting does not help."""
    return error.code() in _REMEDIES or _is_about_the_client_certificate(error)


def remedy(error: KafkaError, topic: str) -> str:
    """The remedy of a refusal."""
    return _REMEDIES.get(error.code(), _CERTIFICATE).format(topic=topic)


def silence_remedy(bootstrap_servers: str, reason: str, throttled_seconds: float) -> str:
    """The remedy when no answer comes, for a client's last report and for how long brokers throttled it."""
    if throttled_seconds:
        return quota_remedy(throttled_seconds)
    advertised = _ADVERTISED.search(reason)
    if advertised and advertised["address"] not in bootstrap_servers.split(","):
        return (
            f"the cluster answers, and says that node {advertised['node']} is to be reached at "
            f"{advertised['address']}: start that node, or correct its advertised.listeners to an address that this "
            "machine can reach"
        )
    return "start the broker or correct BRIDGECART_KAFKA_BOOTSTRAP_SERVERS or BRIDGECART_KAFKA_SECURITY_PROTOCOL"


def quota_remedy(throttled_seconds: float) -> str:
    """The remedy of a quota."""
    return (
        f"the broker throttles this client by a quota, for {throttled_seconds:.1f} s at a time; raise its "
        "consumer_byte_rate, producer_byte_rate or request_percentage (`kafka-configs.sh --describe --entity-type "
        "clients` and `users` list them)"
    )


def produce_remedy(error: KafkaError | None, throttled_seconds: float) -> str:
    """The remedy of records that were not acknowledged."""
    if error is not None and error.code() in _PRODUCE_REMEDIES:
        return _PRODUCE_REMEDIES[error.code()]
    return quota_remedy(throttled_seconds) if throttled_seconds else "send them again"


def not_a_text(properties: Mapping[str, str]) -> str | None:
    """The fault of a property for which the client wants an object of Python's, whose type it does not check."""
    found = next((name for name in _OBJECTS if name in properties), None)
    return found and f"{found} cannot be given as a text"


def unusable(properties: Mapping[str, str], text: str) -> str:
    """The fault of client properties and its remedy, for what librdkafka says about them."""
    named = [name for name in properties if name in text]
    missing = [name for name in named if name.endswith(".location") and not _is_there(properties[name])]
    passwords = [password for start, password in _PASSWORDS.items() if any(name.startswith(start) for name in named)]
    reason = without_secrets(properties, text) + "".join(f"; there is no such {name}" for name in missing)
    variables = " or ".join(_variable(name) for name in dict.fromkeys([*named, *passwords]))
    correct = f"correct {variables or 'BRIDGECART_KAFKA_*'}{_nearest(named) if _UNKNOWN in text else ''}"
    return f"the Kafka client does not accept its properties ({reason}); {correct}"


def _nearest(unknown: Sequence[str]) -> str:
    near = [meant for name in unknown for meant in get_close_matches(name, OFTEN_SET, n=1, cutoff=0.75)]
    return f" (did you mean {' or '.join(map(_variable, near))}?)" if near else ""


def _is_about_the_client_certificate(error: KafkaError) -> bool:
    text = error.str()
    return error.code() == KafkaError._TRANSPORT and "tls alert" in text and ("certificate" in text or " ca" in text)


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        # Too long for a path: somebody gave the contents of the file.
        return False


def _variable(name: str) -> str:
    return f"BRIDGECART_KAFKA_{name.upper().replace('.', '_')}"

"""An Apache Kafka as companies run it: TLS, passwords, client certificates, access rights.

The plain listener is the administrator's: whoever connects there may do everything.
"""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from bridgecart_assets.sources.kafka.clients import Admin, answer, open_admin
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import KafkaFailure
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets_tests.integration.processes import wait_until
from bridgecart_assets_tests.sources.kafka.apache import ApacheKafka
from bridgecart_assets_tests.sources.kafka.certificates import Authority, Identity

PASSWORD = "PASSWORD"
"""The listener with TLS that asks for a password: SCRAM-SHA-512 or PLAIN."""
MUTUAL = "MUTUAL"
"""The listener with TLS that asks for a client certificate."""
MISNAMED = "MISNAMED"
"""The listener with TLS whose certificate is another host's."""

_LISTENERS = {PASSWORD: "SASL_SSL", MUTUAL: "SSL", MISNAMED: "SSL"}
_MODULES = "org.apache.kafka.common.security"
_SECONDS = 10.0


@dataclass(frozen=True)
class User:
    """Somebody with a password. Long and random: where a search finds it, it leaked."""

    name: str
    password: str

    @classmethod
    def invent(cls, role: str) -> Self:
        return cls(f"{role}-{secrets.token_hex(4)}", secrets.token_hex(16))


class SecuredKafka:
    """The cluster while the `with` block lasts."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.invent("The shop's authority")
        self.trusted = folder / "authority.pem"
        self.trusted.write_text(self.authority.certificate_pem, encoding="utf-8")
        self.plain_user = User.invent("plain")
        host = self.authority.issue("kafka", ["127.0.0.1"])
        other_host = self.authority.issue("kafka", ["kafka.example.com"])
        self._kafka = ApacheKafka(
            folder,
            listeners=_LISTENERS,
            properties={
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
                "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
                **_of(PASSWORD, self._key_and_trust(host) | self._logins()),
                **_of(MUTUAL, self._key_and_trust(host) | {"ssl.client.auth": "required"}),
                **_of(MISNAMED, self._key_and_trust(other_host)),
            },
        )

    def __enter__(self) -> Self:
        self._kafka.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.stop()

    def servers(self, listener: str) -> str:
        """`host:port` of a listener."""
        return self._kafka.servers(listener)

    def administrator(self, topic: str) -> KafkaConnection:
        """A connection without encryption, password or limits."""
        return KafkaConnection(self._kafka.bootstrap_servers, topic)

    def topic(self, partitions: int = 2) -> str:
        """The name of a new topic."""
        name = f"orders-{uuid.uuid4().hex[:12]}"
        create_topic(self.administrator(name), partitions)
        return name

    def user(self, role: str = "shop") -> User:
        """A new user, without any rights, who signs in with SCRAM."""
        user = User.invent(role)
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4_096)
        with self._admin() as admin:
            change = UserScramCredentialUpsertion(user.name, scram, user.password.encode())
            answer(admin, admin.client.alter_user_scram_credentials([change])[user.name])
            wait_until(lambda: _is_known(admin, user), _SECONDS, f"the broker knows user {user.name}")
        return user

    def allow(self, user: str, kind: ResourceType, name: str, *operations: AclOperation) -> None:
        """Give a user rights on a topic, a group or the cluster."""
        with self._admin() as admin:
            for operation in operations:
                binding = AclBinding(
                    kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, AclPermissionType.ALLOW
                )
                answer(admin, admin.client.create_acls([binding])[binding])
                wait_until(lambda: _is_in_force(admin, binding), _SECONDS, f"{binding} is in force")  # noqa: B023

    def allow_orders(self, user: str, topic: str, group: str = "bridgecart") -> None:
        """All that BridgeCart needs to read a topic, and `generate` to fill it."""
        self.allow(user, ResourceType.TOPIC, topic, AclOperation.READ, AclOperation.WRITE)
        self.allow(user, ResourceType.GROUP, group, AclOperation.READ)

    def sign_in(self, user: User, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """The client properties of a user."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": mechanism,
            "sasl.username": user.name,
            "sasl.password": user.password,
            "ssl.ca.location": str(self.trusted),
        }

    def connection(self, topic: str, properties: Mapping[str, str | None], listener: str = PASSWORD) -> KafkaConnection:
        """A connection with the properties that are not None."""
        kept = {name: value for name, value in properties.items() if value is not None}
        return KafkaConnection(self.servers(listener), topic, kept, timeout_seconds=5)

    def _admin(self) -> Any:
        return open_admin(self.administrator(""))

    def _key_and_trust(self, identity: Identity) -> dict[str, str]:
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _one_line(identity.certificate_pem),
            "ssl.keystore.key": _one_line(identity.key_pem()),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": _one_line(self.authority.certificate_pem),
        }

    def _logins(self) -> dict[str, str]:
        plain = f'user_{self.plain_user.name}="{self.plain_user.password}"'
        return {
            "scram-sha-512.sasl.jaas.config": f"{_MODULES}.scram.ScramLoginModule required;",
            "plain.sasl.jaas.config": f"{_MODULES}.plain.PlainLoginModule required {plain};",
        }


def variables(connection: KafkaConnection) -> dict[str, str]:
    """The BRIDGECART_* variables that make the program use this connection."""
    settings = {
        "bootstrap.servers": connection.bootstrap_servers,
        "topic": connection.topic,
        "timeout.seconds": f"{connection.timeout_seconds:g}",
        **connection.properties,
    }
    return {f"BRIDGECART_KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}


def _is_known(admin: Admin, user: User) -> bool:
    try:
        asked: Any = admin.client.describe_user_scram_credentials([user.name])
        answer(admin, asked[user.name])
    except KafkaFailure:
        return False
    return True


def _is_in_force(admin: Admin, binding: AclBinding) -> bool:
    wanted = AclBindingFilter(
        binding.restype,
        binding.name,
        ResourcePatternType.LITERAL,
        binding.principal,
        "*",
        binding.operation,
        AclPermissionType.ANY,
    )
    found: Sequence[AclBinding] = answer(admin, admin.client.describe_acls(wanted))
    return bool(found)


def _of(listener: str, properties: Mapping[str, str]) -> dict[str, str]:
    return {f"listener.name.{listener.lower()}.{name}": value for name, value in properties.items()}


def _one_line(pem: str) -> str:
    """As a properties file holds it."""
    return pem.replace("\n", "\\n")

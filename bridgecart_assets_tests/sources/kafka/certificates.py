"""Certificates for tests: an authority that lasts as long as the test, and what it signs."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A private key and the certificate that an authority has signed for it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def key_pem(self, password: str | None = None) -> str:
        """The key in PKCS 8, encrypted if there is a password."""
        how = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()

    def keystore(self, password: str) -> bytes:
        """Key and certificate in PKCS 12."""
        return serialize_key_and_certificates(
            b"client", self.key, self.certificate, None, BestAvailableEncryption(password.encode())
        )


@dataclass(frozen=True)
class Authority(Identity):
    """Signs certificates; its own one is what a client has to trust."""

    @classmethod
    def invent(cls, name: str) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _signed(name, key.public_key(), name, key, x509.BasicConstraints(ca=True, path_length=0)))

    def issue(self, name: str, hosts: Sequence[str] = ()) -> Identity:
        """A new key with a certificate for a common name; servers also have host names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        (issuer,) = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        extensions = [x509.SubjectAlternativeName([_general_name(host) for host in hosts])] if hosts else []
        return Identity(key, _signed(name, key.public_key(), str(issuer.value), self.key, *extensions))


def _signed(
    name: str,
    public_key: ec.EllipticCurvePublicKey,
    issuer: str,
    signed_by: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(signed_by, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)

"""The address on which the Dagster UI listens: is it free, who reaches it, and the link to open in a browser."""

import errno
import ipaddress
import socket
from dataclasses import dataclass

from bridgecart_assets.base.errors import BridgeCartError


class CannotListen(BridgeCartError):
    """Something else listens on the port, or the host is no address of this machine."""


@dataclass(frozen=True)
class Listener:
    """A host, by name or address, and a port. Its properties and methods raise CannotListen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """True if only programs on this machine reach it."""
        return all(address.is_loopback for address in _addresses(self.host))

    @property
    def url(self) -> str:
        """The link to open on this machine."""
        address = _addresses(self.host)[0]
        if address.is_unspecified:
            return f"http://127.0.0.1:{self.port}" if address.version == 4 else f"http://[::1]:{self.port}"
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def require_free(self) -> None:
        """Raise CannotListen unless a server can listen here."""
        for address in _addresses(self.host):
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((str(address), self.port))
                except OSError as error:
                    if error.errno == errno.EADDRINUSE:
                        why = f"Port {self.port} is in use: stop what uses it, or choose another with --port."
                    else:
                        why = f"Cannot listen on port {self.port} of {self.host} ({error.strerror}): choose others."
                    raise CannotListen(why) from None


def free_port(host: str) -> int:
    """A port of an IPv4 address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CannotListen(f"{host!r} is no address: give one of this machine with --host, or none.") from None
    return [ipaddress.ip_address(str(address[0])) for *_, address in found]

import socket

import pytest

from bridgecart_assets.processes.listening import CannotListen, Listener
from bridgecart_assets_tests.integration.served import free_port


@pytest.mark.parametrize(
    ("host", "is_loopback", "url"),
    [
        ("127.0.0.1", True, "http://127.0.0.1:3000"),
        ("localhost", True, "http://localhost:3000"),
        ("::1", True, "http://[::1]:3000"),
        ("0.0.0.0", False, "http://127.0.0.1:3000"),
        ("::", False, "http://[::1]:3000"),
        ("192.0.2.7", False, "http://192.0.2.7:3000"),
    ],
)
def test_who_reaches_a_host_and_what_to_open_on_this_machine(host: str, is_loopback: bool, url: str) -> None:
    listener = Listener(host, 3000)
    assert (listener.is_loopback, listener.url) == (is_loopback, url)


def test_a_free_port_can_be_listened_on() -> None:
    Listener("127.0.0.1", free_port()).require_free()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_is_named(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"Port {port} is in use"):
            Listener(host, port).require_free()


@pytest.mark.parametrize("host", ["192.0.2.7", "no such host", ""])
def test_what_is_no_address_of_this_machine_is_named(host: str) -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.7|no such host|''"):
        Listener(host, free_port()).require_free()

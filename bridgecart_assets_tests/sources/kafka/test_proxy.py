"""The proxy between clients and a broker, which the tests of faults rely on."""

import socket
import time
from contextlib import closing, suppress
from functools import partial
from threading import Thread

from bridgecart_assets_tests.sources.kafka.proxy import Proxy

LARGE = 200_000
ROUNDS = 50
# What a connection gets once it is reset comes in less.
PAUSE_SECONDS = 0.02


def send_for_ever(connection: socket.socket) -> None:
    with closing(connection):
        try:
            while True:
                connection.sendall(b"x" * 65_536)
        except OSError:
            # The other end is gone.
            return


def talk_to_whoever_comes(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        Thread(target=send_for_ever, args=(connection,), daemon=True).start()


def listen_until_silence(client: socket.socket, proxy: Proxy) -> None:
    client.settimeout(PAUSE_SECONDS)
    while not proxy.is_silent():
        with suppress(TimeoutError):
            client.recv(65_536)


def test_what_a_reset_connection_still_gets_is_no_large_answer() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, Proxy() as proxy:
        Thread(target=talk_to_whoever_comes, args=(listener,), daemon=True).start()
        proxy.forward_to(lambda: f"127.0.0.1:{listener.getsockname()[1]}")
        for _ in range(ROUNDS):
            proxy.when_answered(LARGE, proxy.go_silent)
            with closing(socket.create_connection(("127.0.0.1", proxy.port))) as client:
                listen_until_silence(client, proxy)
            said: list[str] = []
            proxy.when_answered(LARGE, partial(said.append, "a large answer"))
            proxy.reset()
            proxy.heal()
            time.sleep(PAUSE_SECONDS)
            assert said == []

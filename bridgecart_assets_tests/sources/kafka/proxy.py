"""A TCP proxy on loopback between clients and a broker: passes, goes silent, refuses, and notices a large answer.

Kafka clients follow the addresses that a broker advertises, so the broker has to advertise `address`.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

from bridgecart_assets.base.errors import BridgeCartError

_HOST = "127.0.0.1"
_CHUNK = 16 * 1024
# Closing then resets the connection, as a router does that has forgotten it.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens while the `with` block lasts; where it forwards to is set with `forward_to`."""

    def __init__(self) -> None:
        self._target: Callable[[], str] | None = None
        self._listener = _listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._state = threading.Condition()
        self._is_silent = False
        self._is_closed = False
        self._connections: set[socket.socket] = set()
        self._large = 0
        self._action: Callable[[], None] | None = None

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{_HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._accept_on(self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        self.refuse()

    def forward_to(self, target: Callable[[], str]) -> None:
        """Forward new connections to the `host:port` that this gives then."""
        self._target = target

    def go_silent(self) -> None:
        """Accept everything, pass nothing, in no direction, until `heal`: a cut that nobody is told of."""
        with self._state:
            self._is_silent = True

    def is_silent(self) -> bool:
        """Whether it passes nothing."""
        return self._is_silent

    def heal(self) -> None:
        """Pass again what waits, and accept again."""
        with self._state:
            self._is_silent = False
            self._state.notify_all()
        if self._listener.fileno() < 0:
            self._listener = _listen(self.port)
            self._accept_on(self._listener)

    def reset(self) -> None:
        """Reset all connections."""
        with self._state:
            connections, self._connections = self._connections, set()
            self._state.notify_all()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            _close(connection)

    def refuse(self) -> None:
        """Reset all connections and refuse new ones, until `heal`."""
        # Closed alone, it would go on for the thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._state:
            self._is_silent = False
        self.reset()

    def when_answered(self, size: int, action: Callable[[], None]) -> None:
        """Call `action` once, as soon as one connection has got `size` bytes since it was opened; it waits for that."""
        with self._state:
            self._large, self._action = size, action

    def _accept_on(self, listener: socket.socket) -> None:
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._is_closed:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = self._connect()
            if server is None:
                client.close()
                continue
            with self._state:
                self._connections |= {client, server}
            for source, sink, is_answer in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, sink, is_answer), daemon=True).start()

    def _connect(self) -> socket.socket | None:
        if self._target is None:
            return None
        try:
            host, _, port = self._target().rpartition(":")
            server = socket.create_connection((host, int(port)), timeout=5)
        except (OSError, BridgeCartError):
            # The broker is not there, or does not listen.
            return None
        server.settimeout(None)
        return server

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            self._forward(source, sink, is_answer)
        with self._state:
            self._connections -= {source, sink}
        for end in (source, sink):
            _close(end)

    def _forward(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        passed = 0
        while data := source.recv(_CHUNK):
            if is_answer:
                passed += len(data)
                self._note(source, passed)
            with self._state:
                self._state.wait_for(lambda: not self._is_silent or source not in self._connections)
            sink.sendall(data)

    def _note(self, source: socket.socket, passed: int) -> None:
        with self._state:
            # One that is being reset may still get what waited for it.
            if self._action is None or passed < self._large or source not in self._connections:
                return
            action, self._action = self._action, None
        action()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_HOST, port))
    listener.listen()
    return listener


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()

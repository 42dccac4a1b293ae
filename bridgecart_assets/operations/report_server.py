"""Serving the report next to the Dagster UI: one file, read anew for every request."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NoReturn

from bridgecart_assets.operations.listening import Listener
from bridgecart_assets.settings import Settings

LAST_PORT = 65_535
_STOP_POLL_SECONDS = 0.1
_HEADERS = {
    # The browser keeps the page and asks each time whether it is still the newest.
    "Cache-Control": "no-cache",
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NOT_YET = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3">'
    b"<title>Customer segments - BridgeCart</title>"
    b"<p>There is no report yet: the first batch writes it, and this page looks again by itself."
)


def beside(other: Listener) -> tuple[Listener, ...]:
    """The next port on the same host, and any free one where that is taken."""
    following = (Listener(other.host, other.port + 1),) if other.port < LAST_PORT else ()
    return (*following, Listener(other.host, 0))


@contextmanager
def report_server(report: Path, *places: Listener) -> Iterator[Listener]:
    """Serve the file at the first of the places that is free, while the block lasts. Raises CannotListen."""
    server = _listen(report, places)
    thread = Thread(target=server.serve_forever, args=(_STOP_POLL_SECONDS,), name="report", daemon=True)
    thread.start()
    try:
        yield Listener(server.place.host, server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve_report(settings: Settings, place: Listener, *, say: Callable[[str], None]) -> NoReturn:
    """Serve the report until interrupted. Raises CannotListen."""
    with report_server(settings.report_path, place) as served:
        say(f"Report: {served.url}")
        while True:
            signal.pause()


def _listen(report: Path, places: Sequence[Listener]) -> "_Server":
    *preferred, last = places
    for place in preferred:
        try:
            return _Server(report, place)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    last.require_free()
    return _Server(report, last)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, report: Path, place: Listener) -> None:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        self.address_family, *_, address = found[0]
        self.report = report
        self.place = place
        self.is_private = place.is_loopback
        super().__init__((str(address[0]), int(address[1])), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: that asks the network for the name of the host.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever closes a page while it is sent is no error of ours; everything else is told as ever."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "BridgeCart"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """The page, or that it has not changed since the browser got it."""
        if not self._is_asked_for_us():
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"")
        elif self.path.split("?")[0] != "/":
            self._answer(HTTPStatus.NOT_FOUND, b"")
        else:
            self._answer_with_report()

    do_HEAD = do_GET

    def _is_asked_for_us(self) -> bool:
        """No page of another site may read this one by a name that it made point at this machine."""
        name = self.headers.get("Host", "").rsplit(":", 1)[0]
        host = self.server.place.host
        ours = ("127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host)
        return not self.server.is_private or name in ours

    def _answer_with_report(self) -> None:
        try:
            with self.server.report.open("rb") as file:
                page = file.read()
                tag = f'"{os.fstat(file.fileno()).st_mtime_ns:x}-{len(page):x}"'
        except FileNotFoundError:
            self._answer(HTTPStatus.OK, _NOT_YET)
            return
        if self.headers.get("If-None-Match") == tag:
            self._answer(HTTPStatus.NOT_MODIFIED, b"", tag)
        else:
            self._answer(HTTPStatus.OK, page, tag)

    def _answer(self, status: HTTPStatus, body: bytes, tag: str | None = None) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if tag is not None:
            self.send_header("ETag", tag)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a page that looks for news every few seconds is no news."""

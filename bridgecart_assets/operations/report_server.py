"""Serving the report next to the Dagster UI: one file, read anew for every request."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from bridgecart_assets.operations.listening import Listener

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


@contextmanager
def report_server(report: Path, beside: Listener) -> Iterator[Listener]:
    """Serve the file while the block lasts, on the same host at the next port, or at a free one where that is taken."""
    server = _listen(report, beside)
    thread = Thread(target=server.serve_forever, args=(_STOP_POLL_SECONDS,), name="report", daemon=True)
    thread.start()
    try:
        yield Listener(beside.host, server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listen(report: Path, beside: Listener) -> "_Server":
    for port in (beside.port + 1, 0):
        try:
            return _Server(report, Listener(beside.host, port))
        except (OSError, OverflowError) as error:
            if port == 0 or getattr(error, "errno", errno.EADDRINUSE) != errno.EADDRINUSE:
                raise
    raise AssertionError("port 0 is always free")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, report: Path, at: Listener) -> None:
        found = socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)
        self.address_family, *_, address = found[0]
        self.report = report
        self.is_private = at.is_loopback
        super().__init__((str(address[0]), int(address[1])), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: that asks the network for the name of the host.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


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
        return not self.server.is_private or name in ("127.0.0.1", "localhost", "[::1]")

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

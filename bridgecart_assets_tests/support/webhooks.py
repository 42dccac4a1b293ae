"""A webhook: a server on this machine that keeps what is posted to it, and answers as it is told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

SECRET = "services/T0000/B0000/s3cr3t-t0k3n"


@dataclass
class Webhook:
    """What was posted, and what is answered: a status, or nothing at all until `awake` is set."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    awake: Event = field(default_factory=Event)
    posted: list[str] = field(default_factory=list)
    asked: int = 0

    @property
    def url(self) -> str:
        """Its address, a secret."""
        return f"http://127.0.0.1:{self.port}/{SECRET}"


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A webhook that takes everything until it is told otherwise."""
    hook = Webhook()
    hook.awake.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.asked += 1
            hook.awake.wait()
            if hook.status == 200:
                assert (self.path, self.headers["Content-Type"]) == (f"/{SECRET}", "application/json")
                hook.posted.append(json.loads(body)["text"])
            self.send_response(hook.status)
            for name, value in hook.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def do_GET(self) -> None:
            hook.posted.append(f"GET {self.path}")
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Whoever hung up did not wait for the answer."""

    with Server(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_port
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield hook
        finally:
            hook.awake.set()
            server.shutdown()
            thread.join()

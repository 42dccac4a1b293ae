"""A server that answers as a schema registry does, or as one that fails; with a login and TLS where it is told."""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

UNKNOWN = (404, {"error_code": 40403, "message": "Schema not found"})


@dataclass
class Answers:
    """What is answered by path, everything else with `otherwise`; nothing at all until `awake` is set."""

    by_path: dict[str, tuple[int, Any]] = field(default_factory=dict)
    otherwise: tuple[int, Any] = UNKNOWN
    authorization: str | None = None
    asked: list[str] = field(default_factory=list)
    awake: Event = field(default_factory=Event)
    url: str = ""

    def know(self, schema_id: int, text: str, kind: str = "AVRO", **more: Any) -> None:
        """Answer with this schema."""
        self.by_path[f"/schemas/ids/{schema_id}"] = (200, {"schema": text, "schemaType": kind, **more})


@contextmanager
def answering(answers: Answers, tls: ssl.SSLContext | None = None) -> Iterator[Answers]:
    """The server, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            answers.asked.append(path)
            answers.awake.wait()
            status, body = answers.by_path.get(path, answers.otherwise)
            if answers.authorization not in (None, self.headers["Authorization"]):
                status, body = 401, {"error_code": 401, "message": "Unauthorized"}
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Whoever hung up did not wait for the answer."""

    answers.awake.set()
    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    answers.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield answers
    finally:
        answers.awake.set()
        server.shutdown()
        server.server_close()


def properties_of(**properties: str) -> Mapping[str, str]:
    """Properties of a client that gives up at once."""
    quick = {"retries.wait.ms": "1", "retries.max.wait.ms": "1", "timeout": "2"}
    return {**quick, **{name.replace("_", "."): value for name, value in properties.items()}}

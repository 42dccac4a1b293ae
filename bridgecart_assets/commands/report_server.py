"""Serving the report next to the Dagster UI: the newest page, those that are kept, and how the pipeline is."""

import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.processes.listening import Listener

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LAST_PORT = 65_535
_GOODBYE_SECONDS = 1
_HEADERS = {
    # The browser keeps the page and asks each time whether it is still the newest.
    b"cache-control": b"no-cache",
    b"content-security-policy": b"frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}
_NOT_YET = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3">'
    "<title>Customer segments - BridgeCart</title>"
    "<p>There is no report yet: the first batch writes it, and this page looks again by itself."
)
_NOT_FOR_US = (
    "The report is not served under this name. Behind a proxy, set BRIDGECART_REPORT_URL to the address that people "
    "open, and start again.\n"
)


def beside(other: Listener) -> tuple[Listener, ...]:
    """The next port on the same host, and any free one where that is taken."""
    following = (Listener(other.host, other.port + 1),) if other.port < LAST_PORT else ()
    return (*following, Listener(other.host, 0))


@contextmanager
def report_server(report: Path, *places: Listener, settings: Settings | None = None) -> Iterator[Listener]:
    """Serve the file at the first of the places that is free, while the block lasts. Raises CannotListen.

    With settings also `/metrics` and `/healthz` of their pipeline, and the page under the name of their report_url.
    """
    import uvicorn

    listening, place = _listen(places)
    app = _OnlyForUs(_app(report, settings), _names(place, settings))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_GOODBYE_SECONDS,
        )
    )
    thread = Thread(target=server.run, args=([listening],), name="report", daemon=True)
    thread.start()
    try:
        yield Listener(place.host, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def serve_report(settings: Settings, place: Listener, *, say: Callable[[str], None]) -> NoReturn:
    """Serve the report until interrupted. Raises CannotListen."""
    with report_server(settings.report_path, place, settings=settings) as served:
        say(f"Report: {served.url}")
        while True:
            signal.pause()


def _listen(places: Sequence[Listener]) -> tuple[socket.socket, Listener]:
    *preferred, last = places
    for place in preferred:
        try:
            return _bound(place), place
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    last.require_free()
    return _bound(last), last


def _bound(place: Listener) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


def _names(place: Listener, settings: Settings | None) -> frozenset[str] | None:
    """The names under which it is served; None is any: where others reach it, they name it as they like."""
    if not place.is_loopback:
        return None
    public = urlsplit(settings.report_url).hostname if settings is not None and settings.report_url else None
    return frozenset({"127.0.0.1", "localhost", "::1", place.host.lower(), public or "localhost"})


class _OnlyForUs:
    """No page of another site may read this one by a name that it made point at this machine."""

    def __init__(self, app: "ASGIApp", names: frozenset[str] | None) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass on what is asked for us, with our headers on every answer."""
        from starlette.responses import PlainTextResponse

        async def send_with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        is_ours = self._names is None or _hostname(host) in self._names
        answer = self._app if is_ours else PlainTextResponse(_NOT_FOR_US, status_code=421)
        await answer(scope, receive, send_with_headers)


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _file(file: Path, request: "Request", missing: "Response") -> "Response":
    """The file as it is now, unless the browser has it."""
    from starlette.responses import HTMLResponse, Response

    try:
        with file.open("rb") as opened:
            content = opened.read()
            tag = f'"{os.fstat(opened.fileno()).st_mtime_ns:x}-{len(content):x}"'
    except FileNotFoundError:
        return missing
    is_known = request.headers.get("if-none-match") == tag
    return (
        Response(status_code=304, headers={"ETag": tag}) if is_known else HTMLResponse(content, headers={"ETag": tag})
    )


def _app(report: Path, settings: Settings | None) -> "Starlette":
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, PlainTextResponse, Response
    from starlette.routing import Route

    from bridgecart_assets.report.kept import INDEX, is_kept

    def newest(request: "Request") -> "Response":
        return _file(report, request, HTMLResponse(_NOT_YET))

    def beside_it(request: "Request") -> "Response":
        name = request.path_params["name"]
        none = PlainTextResponse("Not Found", 404)
        return _file(report.with_name(name), request, none) if name == INDEX or is_kept(name) else none

    # The pages name each other as files do, so that their links lead on without a server, too.
    routes = [Route("/", newest), Route(f"/{report.name}", newest), Route("/{name}", beside_it)]
    if settings is not None:
        from bridgecart_assets.orchestration.monitoring.metrics import CONTENT_TYPE, exposition
        from bridgecart_assets.orchestration.monitoring.observing import Observer

        observer = Observer(settings)

        def metrics(_: "Request") -> "Response":
            return Response(exposition(observer, datetime.now(UTC)), headers={"Content-Type": CONTENT_TYPE})

        def healthz(_: "Request") -> "Response":
            problems = observer.problems(datetime.now(UTC))
            return PlainTextResponse("".join(f"{line}\n" for line in problems or ["ok"]), 503 if problems else 200)

        routes = [Route("/metrics", metrics), Route("/healthz", healthz), *routes]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return app

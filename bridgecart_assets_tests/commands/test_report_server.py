"""The report over HTTP: the newest page, only to whom it is for, nothing else of the machine."""

import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.report_server import beside, report_server
from bridgecart_assets.processes.listening import CannotListen, Listener


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = tmp_path / "segments.html"
    file.write_text("<p>figures", encoding="utf-8")
    return file


@pytest.fixture
def served(report: Path) -> Iterator[Listener]:
    with report_server(report, Listener("127.0.0.1", free_port())) as listener:
        yield listener


def free_port() -> int:
    """A port that is free, as is the one after it."""
    for port in range(21_000, 29_000, 2):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    pytest.fail("no port is free")


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(url, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_the_page_is_at_the_port_next_to_the_ui_and_may_be_in_no_frame(report: Path):
    port = free_port()
    with report_server(report, *beside(Listener("127.0.0.1", port))) as listener:
        assert listener.url == f"http://127.0.0.1:{port + 1}"
        status, headers, body = ask(f"{listener.url}/")
    assert (status, body) == (200, b"<p>figures")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_where_that_port_is_taken_it_is_at_another(report: Path):
    port = free_port()
    taken = socket.create_server(("127.0.0.1", port + 1))
    with taken, report_server(report, *beside(Listener("127.0.0.1", port))) as listener:
        assert listener.port not in (0, port, port + 1)
        assert ask(f"{listener.url}/")[0] == 200


def test_the_last_port_has_none_after_it_and_that_is_no_error(report: Path):
    with report_server(report, *beside(Listener("127.0.0.1", 65_535))) as listener:
        assert ask(f"{listener.url}/")[0] == 200


def test_a_browser_that_has_the_page_is_told_that_it_is_the_newest_and_gets_a_newer_one(served: Listener, report: Path):
    _, headers, _ = ask(f"{served.url}/")
    assert ask(f"{served.url}/", If_None_Match=headers["ETag"])[::2] == (304, b"")
    newer = report.with_name("newer")
    newer.write_text("<p>newer figures", encoding="utf-8")
    newer.replace(report)
    status, now, body = ask(f"{served.url}/", If_None_Match=headers["ETag"])
    assert (status, body) == (200, b"<p>newer figures")
    assert now["ETag"] != headers["ETag"]


def test_before_the_first_report_the_page_says_so_and_looks_again(tmp_path: Path):
    with report_server(tmp_path / "segments.html", Listener("127.0.0.1", free_port())) as listener:
        status, _, body = ask(f"{listener.url}/")
    assert status == 200
    assert b"There is no report yet" in body
    assert b'http-equiv="refresh"' in body


@pytest.mark.parametrize("name", ["index.html", "2025-12.html", "2025-12-03.html", "2025-W49.html", "segments.html"])
def test_the_reports_of_closed_periods_are_beside_it_by_the_names_of_their_files(
    served: Listener, report: Path, name: str
):
    assert ask(f"{served.url}/{name}")[0] == (200 if name == report.name else 404)
    report.with_name(name).write_text("<p>kept", encoding="utf-8")
    status, headers, body = ask(f"{served.url}/{name}")
    assert (status, body) == (200, b"<p>kept")
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert ask(f"{served.url}/{name}", If_None_Match=headers["ETag"])[0] == 304


@pytest.mark.parametrize(
    "path",
    [
        *("/../bridgecart.duckdb", "/%2e%2e/x", "//", "//shop.example/", "/kept.json", "/.frame-1.html", "/frame.html"),
        *(
            "/..%2f2025-12.html",
            "/2025-12.html/",
            "/2025-12",
            "/2025-12.html%0a",
            "/2025-%D9%A1%D9%A2.html",
            "/x/2025-12.html",
        ),
    ],
)
def test_there_is_nothing_else(served: Listener, report: Path, path: str):
    for name in ("kept.json", ".frame-1.html", "frame.html", "../2025-12.html", "2025-12", "2025-\u0661\u0662.html"):
        report.parent.joinpath(name).write_text("secret", encoding="utf-8")
    assert ask(f"{served.url}{path}")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_can_only_be_read(served: Listener, method: str):
    assert ask(f"{served.url}/", method)[0] == 405


def test_a_head_has_the_headers_alone(served: Listener):
    status, headers, body = ask(f"{served.url}/", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "10", b"")


@pytest.mark.parametrize("host", ["shop.example", "shop.example:80", "127.0.0.1.shop.example", ""])
def test_a_page_of_another_site_cannot_read_it_by_a_name_of_its_own(served: Listener, host: str):
    status, headers, body = ask(f"{served.url}/", Host=host)
    assert (status, b"BRIDGECART_REPORT_URL" in body, b"figures" in body) == (421, True, False)
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"


@pytest.mark.parametrize("host", ["reports.shop.example", "Reports.Shop.Example:443", "127.0.0.1", "localhost:3001"])
def test_behind_a_proxy_it_answers_to_the_name_that_people_open(report: Path, settings: Settings, host: str):
    public = settings.model_copy(update={"report_url": "https://reports.shop.example/segments/"})
    with report_server(report, Listener("127.0.0.1", free_port()), settings=public) as served:
        assert ask(f"{served.url}/", Host=host)[::2] == (200, b"<p>figures")
        for other in ("shop.example", "x.reports.shop.example", "reports.shop.example.evil.example", "[::1"):
            assert ask(f"{served.url}/", Host=other)[0] == 421


def test_without_settings_there_is_the_page_alone(served: Listener):
    assert [ask(f"{served.url}{path}")[0] for path in ("/metrics", "/healthz", "/metrics/")] == [404, 404, 404]


def test_an_address_of_this_machine_that_was_asked_for_is_answered(report: Path):
    with report_server(report, Listener("127.0.0.5", free_port())) as listener:
        assert ask(f"{listener.url}/")[0] == 200


def test_whoever_closes_the_page_while_it_is_sent_leaves_no_trace(report: Path, capfd: pytest.CaptureFixture[str]):
    report.write_bytes(b"<p>" + b"x" * 50_000_000)
    with report_server(report, Listener("127.0.0.1", free_port())) as listener:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", listener.port)) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                client.recv(100)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert ask(f"{listener.url}/", "HEAD")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_the_port_is_free_again_at_once(report: Path):
    place = Listener("127.0.0.1", free_port())
    for _ in range(3):
        with report_server(report, place) as served:
            assert served.port == place.port
            assert ask(f"{served.url}/")[0] == 200


def test_where_only_one_port_will_do_and_that_is_taken_it_says_so(report: Path):
    place = Listener("127.0.0.1", free_port())
    with (
        socket.create_server((place.host, place.port)),
        pytest.raises(CannotListen, match=f"Port {place.port} is in use"),
        report_server(report, place),
    ):
        pass

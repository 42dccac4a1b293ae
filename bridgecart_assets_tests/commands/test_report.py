"""`bridgecart report` as a command; the page: `report/`, the server: `test_report_server.py`."""

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line


def test_the_report_is_written_and_its_place_is_said(
    bridgecart: Bridgecart, filled: Warehouse, settings: Settings
) -> None:
    done = bridgecart("report")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"Report: {settings.report_path}\n"
    assert "<h1>Customer segments</h1>" in settings.report_path.read_text(encoding="utf-8")


def test_a_report_before_the_first_run_says_what_to_do(bridgecart: Bridgecart) -> None:
    assert_one_line(bridgecart("report"), "nothing to report yet", "bridgecart run", "bridgecart demo")

"""The page as a file: whole or not there, the same bytes for the same figures, nothing executable in what it holds."""

import json
import re
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report import page
from bridgecart_assets.report.charts import specs
from bridgecart_assets.report.page import ReportNotWritten, for_script, write_page
from bridgecart_assets.report.writing import NothingToReport, may_wait, write_report
from bridgecart_assets_tests.report.shops import HOSTILE, page_of


@given(
    st.recursive(
        st.text() | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_text_comes_out_of_the_script_as_it_went_in_and_cannot_end_it(value: object):
    text = for_script({"value": value, "hostile": HOSTILE})
    assert json.loads(text) == {"value": value, "hostile": HOSTILE}
    assert not set(text) & set("<>&\u2028\u2029")


def test_a_figure_that_is_no_number_is_a_bug_and_no_page():
    with pytest.raises(ValueError, match="Out of range"):
        for_script({"value": float("nan")})


def test_the_same_figures_make_the_same_page_and_the_frame_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first, second = tmp_path / "first" / "segments.html", tmp_path / "second" / "segments.html"
    write_page({"a": 1}, first)
    write_page({"a": 1}, second)
    assert first.read_bytes() == second.read_bytes()
    monkeypatch.setattr(page, "_make_frame", lambda: pytest.fail("made again"))
    write_page({"a": 2}, first)
    assert '{"a":2}' in first.read_text(encoding="utf-8")


@pytest.mark.parametrize("cache", ["a folder", "a file", "no home"])
def test_the_frame_is_made_once_a_user_or_once_beside_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
):
    made = count()

    def make() -> str:
        next(made)
        return "new {{figures}}"

    monkeypatch.setattr(page, "_make_frame", make)
    if cache == "no home":
        monkeypatch.setattr(page, "_cache", list)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if cache == "a file":
        (tmp_path / "cache").touch()
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in (*folders, *folders):
        write_page({}, folder / "segments.html")
        assert (folder / "segments.html").read_text(encoding="utf-8") == "new {}"
    kept = [file.parent.parent.name for file in tmp_path.rglob(".frame-*.html")]
    assert next(made) == len(kept) == (1 if cache == "a folder" else 2)


def test_a_frame_of_another_version_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page, "_cache", list)
    monkeypatch.setattr(page, "_make_frame", lambda: "old {{figures}}")
    target = tmp_path / "segments.html"
    write_page({}, target)
    monkeypatch.setattr(page, "_fingerprint", lambda: "another")
    monkeypatch.setattr(page, "_make_frame", lambda: "new {{figures}}")
    write_page({}, target)
    assert target.read_text(encoding="utf-8") == "new {}"
    assert sorted(file.name for file in tmp_path.iterdir()) == [".frame-another.html", "segments.html"]


def test_text_of_the_figures_that_looks_like_a_place_of_the_page_stays_text(tmp_path: Path):
    target = tmp_path / "segments.html"
    write_page({"category": "{{figures}} {{charts}}"}, target)
    text = target.read_text(encoding="utf-8")
    assert text.count("{{figures}} {{charts}}") == 1
    assert text.count("{{") == text.count("{{figures}} {{charts}}") * 2 + _libraries(text).count("{{")


def _libraries(text: str) -> str:
    return "".join(re.findall(r"<script>(.*?)</script>", text, re.DOTALL))


def test_where_the_page_cannot_be_written_the_one_before_stays_and_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target = tmp_path / "segments.html"
    write_page({"a": 1}, target)
    before = target.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ReportNotWritten, match=r"Cannot write the report .*No space left on device.*make room"):
        write_page({"a": 2}, target)
    assert target.read_bytes() == before
    assert list(tmp_path.glob("*.partial")) == []


def test_the_page_loads_nothing_and_runs_no_other_script_than_its_own(grown: Settings):
    text = page_of(grown).read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", markup) == []


def test_every_chart_of_the_page_has_a_specification_and_every_specification_a_place(grown: Settings):
    text = page_of(grown).read_text(encoding="utf-8")
    assert sorted(re.findall(r'data-(?:chart|far-apart)="(\w+)"', text)) == sorted(specs())


def test_before_the_first_refresh_there_is_nothing_to_report(settings: Settings):
    with pytest.raises(NothingToReport, match="bridgecart run"):
        write_report(settings)
    assert not settings.report_path.exists()


def test_only_a_recent_report_of_a_long_history_may_wait(grown: Settings, monkeypatch: pytest.MonkeyPatch):
    page_of(grown)
    assert not may_wait(grown)
    monkeypatch.setattr("bridgecart_assets.report.writing.LARGE_HISTORY_ORDERS", 1_000)
    assert may_wait(grown)
    assert not may_wait(grown.model_copy(update={"publish_customers_minutes": 0.0}))
    grown.report_path.unlink()
    assert not may_wait(grown)

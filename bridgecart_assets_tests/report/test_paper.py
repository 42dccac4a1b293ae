"""The report on paper: what Chromium makes of it, looked at."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridgecart_assets.base.settings import Settings
from bridgecart_assets_tests.report.pages import Open, open_table
from bridgecart_assets_tests.support.requirements import missing

DOTS_PER_INCH = 40
MARGIN_MILLIMETRES = 10
PRINTED_WIDTH = 600


def test_on_paper_all_is_dark_on_white_and_nothing_is_cut_off(opened: Open, grown: Settings, tmp_path: Path):
    if not shutil.which("pdftoppm"):
        missing("there is no pdftoppm (Debian: apt install poppler-utils)")
    page = opened(grown, scheme="dark")
    open_table(page, "KPIs by period")
    legend = set(" ".join(page.locator("#legend button").all_inner_texts()).split())
    widths = "[...document.querySelectorAll('figure svg')].map(svg => Number(svg.getAttribute('width')))"
    on_screen = page.evaluate(widths)
    page.evaluate(
        f"matchMedia('print').addEventListener('change', (event) => {{ if (event.matches) window.printed = {widths} }})"
    )
    for landscape, paper_width in ((False, 210), (True, 297)):
        target = tmp_path / str(paper_width) / "report.pdf"
        page.pdf(path=target, format="A4", landscape=landscape, print_background=True)
        for sheet in sheets(target):
            margin = round(MARGIN_MILLIMETRES / 25.4 * DOTS_PER_INCH)
            inner = sheet[margin:-margin, margin:-margin]
            assert sheet.sum() - inner.sum() == 255 * (sheet.size - inner.size)
            assert 200 < sheet.mean() < 255
            assert sheet.min() < 150
        words, width, right = printed(target)
        # The legend, the ends of axes, the last step and column, both ends of the charts' own legends.
        assert legend | {"100%", "closing", "dormant", "Nov", "2025", "hindsight", "sample"} <= words
        assert right < width * (1 - MARGIN_MILLIMETRES / paper_width)
        assert not {"Download", "Show", "Light"} & words
        assert set(page.evaluate("window.printed")) == {PRINTED_WIDTH} != set(on_screen)
    page.wait_for_timeout(500)
    assert page.evaluate(widths) == on_screen


def sheets(pdf: Path) -> list[NDArray[np.uint8]]:
    """The pages as grey values, 0 is black."""
    subprocess.run(["pdftoppm", "-gray", "-r", str(DOTS_PER_INCH), pdf, pdf.with_suffix("")], check=True)
    return [_grey(file.read_bytes()) for file in sorted(pdf.parent.glob("*.pgm"))]


def _grey(pgm: bytes) -> NDArray[np.uint8]:
    heading = re.match(rb"P5\s(\d+) (\d+)\s255\s", pgm)
    assert heading
    return np.frombuffer(pgm, np.uint8, offset=heading.end()).reshape(int(heading[2]), int(heading[1]))


def printed(pdf: Path) -> tuple[set[str], float, float]:
    """The words of the pages, the width of a page, and where the word furthest to the right ends."""
    text = subprocess.run(["pdftotext", "-bbox", pdf, "-"], check=True, capture_output=True, text=True).stdout
    words = re.findall(r'xMax="([\d.]+)" yMax="[\d.]+">([^<]*)<', text)
    (width, *_) = re.findall(r'<page width="([\d.]+)"', text)
    return {word for _, word in words}, float(width), max(float(right) for right, _ in words)

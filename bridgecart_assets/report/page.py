"""The page: one HTML file that needs neither network nor server, and allows itself nothing else.

All but the figures is the same for a version of BridgeCart and of the chart library, so it is made once a user and
kept in their cache, or beside the report where there is none: a refresh only puts its figures in.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from html import escape
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts import KPIS, Kpi

_PAGE = Path(__file__).parent / "page"
# The parts of the page's one script, in the order in which they are read.
_PROGRAM = (
    *("state", "numbers", "rows", "choosing", "seasons", "sparkline", "kpis", "opportunities", "grid", "segments"),
    *("cohorts", "missing", "notes", "changes", "reader", "kept", "tables", "charts", "page"),
)
_MADE_OF = ("page/page.html", "page/page.css", *(f"page/{part}.js" for part in _PROGRAM), "charts.py", "page.py")
_FIGURES = "{{figures}}"
# Scripts run that are named by their hash, no other; nothing is loaded but newer figures from where the page is from.
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


class ReportNotWritten(BridgeCartError):
    """The report, or what is kept beside it, cannot be written."""


def write_page(figures: Mapping[str, Any], target: Path) -> None:
    """Write the page with these figures (of `figures.gather`) to the file, by atomic rename.

    Raises ReportNotWritten; what stood there before then stays.
    """
    with _told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        before, after = _frame(target.parent).split(_FIGURES)
        _write(target, f"{before}{for_script(figures)}{after}")


def write_text(text: str, target: Path) -> None:
    """Write a file beside the report, by atomic rename. Raises ReportNotWritten; what stood there before then stays."""
    with _told(target):
        _write(target, text)


def for_script(value: object) -> str:
    """JSON that can stand in an HTML script element whatever its texts are."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportNotWritten(
            f"Cannot write the report {target} ({error.strerror}): make room and make it writable, or set "
            "BRIDGECART_DATA_DIR, and run again."
        ) from error


def _frame(folder: Path) -> str:
    """The page without figures, as it was kept, or made now and kept for the next time."""
    places = [place / f".frame-{_fingerprint()}.html" for place in (*_cache(), folder)]
    for kept in places:
        with suppress(OSError):
            return kept.read_text(encoding="utf-8")
    frame = _make_frame()
    for place in places[:-1]:
        with suppress(OSError):
            _keep(place, frame)
            return frame
    _keep(places[-1], frame)
    return frame


def _cache() -> Sequence[Path]:
    """The folder for what can be made again, as desktops agree on it; none of who has no home."""
    named = os.environ.get("XDG_CACHE_HOME")
    with suppress(RuntimeError):
        return [(Path(named) if named else Path.home() / ".cache") / "bridgecart" / "report"]
    return []


def _keep(file: Path, frame: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    for outdated in file.parent.glob(".frame-*.html"):
        outdated.unlink(missing_ok=True)
    _write(file, frame)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in _MADE_OF:
        digest.update((Path(__file__).parent / name).read_bytes())
    digest.update(repr(KPIS).encode())
    digest.update(f"{version('altair')} {version('vl-convert-python')}".encode())
    return digest.hexdigest()[:16]


def _make_frame() -> str:
    import vl_convert
    from altair import SCHEMA_VERSION

    from bridgecart_assets.report.charts import specs

    vega_lite = ".".join(SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    libraries = vl_convert.javascript_bundle(vl_version=vega_lite)  # type: ignore[call-arg] # has a default
    program = "\n".join(['"use strict";', "(() => {", *(_part(f"{part}.js") for part in _PROGRAM), "})();"])
    parts = {
        "policy": _POLICY.format(scripts=" ".join(map(_hash, (libraries, program)))),
        "style": _part("page.css"),
        "charts": for_script(specs()),
        "trends": "\n        ".join(map(_trend, KPIS)),
        "libraries": libraries,
        "program": program,
    }
    pieces = _part("page.html").split("{{")
    made = [pieces[0]]
    # Piece by piece, because what is put in may hold anything.
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        made += [parts.get(name, f"{{{{{name}}}}}"), rest]
    return "".join(made)


def _trend(kpi: Kpi) -> str:
    """The figure of a KPI over time. Money may stand on a logarithmic scale, which the caption then says."""
    chart, caption = f"trend_{kpi.column}", escape(kpi.caption)
    for what in ("window", "unit"):
        caption = caption.replace(f"{{{what}}}", _says(what))
    far_apart = ""
    if kpi.format == "money":
        far_apart, caption = f' data-far-apart="{chart}_log"', caption + _says("scale")
    return f'<figure data-chart="{chart}"{far_apart} data-rows="figures"><figcaption>{caption}</figcaption></figure>'


def _says(what: str) -> str:
    return f'<span data-says="{what}"></span>'


def _part(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _write(target: Path, text: str) -> None:
    # A name of its own: `bridgecart report` may write while a run does.
    with NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, suffix=".partial", delete=False) as file:
        partial = Path(file.name)
        try:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            partial.replace(target)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise

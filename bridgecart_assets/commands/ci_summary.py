"""Summary of a run for people who look at a pull request (Markdown) and for their CI's test report (JUnit XML)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.run_pipeline import CheckResult, Summary
from bridgecart_assets.contracts import CHURN, KPIS
from bridgecart_assets.warehouse.published_kpis import (
    KpiRow,
    NothingPublished,
    kpi_rows,
    kpi_texts,
    latest_matured,
    latest_period,
    remarks,
    segment_text,
    with_unit,
)

SUITE = "bridgecart"


class SummaryNotWritten(BridgeCartError):
    """A summary could not be written to its file."""


@contextmanager
def summarised(files: Sequence[Path], settings: Settings) -> Iterator[Summary]:
    """A summary to be filled by a run; it is written to the files at the end, also where the run failed.

    To a file that ends in `.xml` JUnit XML is written, to any other one Markdown is added: CI systems collect the
    summaries of several steps in one file. Raises SummaryNotWritten.
    """
    summary = Summary()
    failure: str | None = None
    try:
        yield summary
    except BaseException as error:
        failure = str(error) if isinstance(error, BridgeCartError) else "The run was stopped before its end."
        raise
    finally:
        for file in files:
            _write(file, summary, settings, failure)


def _write(file: Path, summary: Summary, settings: Settings, failure: str | None) -> None:
    try:
        if file.suffix == ".xml":
            file.write_text(junit(summary, failure), encoding="utf-8")
        else:
            with file.open("a", encoding="utf-8") as target:
                target.write(markdown(summary, _kpis(settings), failure, settings.currency))
    except OSError as error:
        raise SummaryNotWritten(f"Cannot write the summary {file} ({error.strerror}): name another file.") from None


def markdown(summary: Summary, kpis: Sequence[KpiRow], failure: str | None = None, currency: str | None = None) -> str:
    """The summary as a Markdown section: what was taken in, which checks failed and what to do, the latest KPIs."""
    failed = summary.failed_checks
    passed = len(summary.results) - len(failed)
    verdict = "failed" if failure or not summary.is_good else "good, with warnings" if failed else "all good"
    taken_in = (
        f"{summary.records:,} records in {len(summary.batches)} batch(es): {', '.join(summary.ends())}. "
        f"{passed} of {len(summary.results)} checks passed."
    )
    lines = [f"## BridgeCart: {verdict}", "", taken_in, ""]
    if failure is not None:
        lines += [f"**{_cell(failure)}**", ""]
    if failed:
        lines += ["| Severity | Asset | Check | What it says |", "| --- | --- | --- | --- |"]
        lines += [f"| {c.severity} | {_cell(c.asset)} | {_cell(c.check)} | {_cell(c.says)} |" for c in failed]
        lines.append("")
    latest = latest_period(kpis)
    if latest is not None:
        matured, _ = latest_matured(CHURN, kpis, latest)
        lines += [
            f"KPIs of the period from {latest}; churn rates, of those active when it opened, of that from {matured}, "
            "the latest whose window is over:"
            if matured
            else f"KPIs of the period from {latest}; no churn window is over yet:",
            "",
            f"| Segment | Customers | {' | '.join(with_unit(kpi.label, kpi, currency) for kpi in KPIS)} |",
            f"| --- | ---: |{' ---: |' * len(KPIS)}",
            *(_kpi_row(row, texts) for row, texts in kpi_texts(kpis, latest)),
            "",
        ]
        told = [f"- {_cell(remark)}" for remark in remarks(kpis, latest)]
        lines += [*told, ""] if told else []
    return "\n".join(lines) + "\n"


def _kpis(settings: Settings) -> Sequence[KpiRow]:
    """The rows of all periods; none before the first KPIs."""
    try:
        return kpi_rows(settings.published_dir)
    except NothingPublished:
        return []


def _kpi_row(row: KpiRow, texts: Sequence[str]) -> str:
    cells = [segment_text(row), *texts]
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: object) -> str:
    """Text as it is, in a Markdown table: no markup, no new column, no new line."""
    escaped = "".join(f"\\{character}" if character in r"\`*_[]|<>&#" else character for character in str(text))
    return " ".join(escaped.split())


def junit(summary: Summary, failure: str | None = None) -> str:
    """The summary as JUnit XML: a test case per check; a run that failed is an error of its own case."""
    ran = len(summary.results) + 1
    failures = len(summary.failed_checks)
    counts = {"tests": str(ran), "failures": str(failures), "errors": str(int(failure is not None))}
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", {"name": SUITE, **counts})
    run = ElementTree.SubElement(suite, "testcase", {"classname": SUITE, "name": "run"})
    if failure is not None:
        ElementTree.SubElement(run, "error", {"message": _printable(failure)})
    for result in summary.results:
        _add_case(suite, result)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_case(suite: ElementTree.Element, result: CheckResult) -> None:
    asset = result.asset.replace("/", ".")
    case = ElementTree.SubElement(suite, "testcase", {"classname": f"{SUITE}.{asset}", "name": result.check})
    if not result.passed:
        ElementTree.SubElement(case, "failure", {"type": result.severity, "message": _printable(result.says)})


def _printable(text: str) -> str:
    """Without the control characters that no XML can hold."""
    return "".join(character for character in text if character.isprintable() or character == "\n")

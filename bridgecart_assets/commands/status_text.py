"""The lines of `bridgecart status`: what needs a hand first, and on a terminal no more than fit on it."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from bridgecart_assets.orchestration.status import Status

_LABEL = 15
_CHECK_INDENT = " " * 6
_GAP = "  "


def status_lines(state: "Status", *, width: int | None = None, height: int | None = None) -> list[str]:
    """Failed checks, then the pipeline's state, then rows per table.

    With `width` and `height`, of a terminal, no line is longer and there are no more lines: tables are set side by
    side and left out where there is no room, checks are cut.
    """
    head = _head(state)
    if width is None or height is None:
        return [*_checks(state), *head, *_table(state.rows, columns=1)]
    head = [line for each in head for line in textwrap.wrap(each, width, subsequent_indent=" " * _LABEL)]
    checks = _fitted(_checks(state), width, max(1, height - len(head)))
    room = height - len(head) - len(checks)
    tables = (_table(state.rows, columns=1), _table(state.rows, columns=2), _table(state.rows, columns=2, headed=False))
    fitting = (table for table in tables if len(table) <= room and all(len(line) <= width for line in table))
    return [*checks, *head, *next(fitting, [])]


def _checks(state: "Status") -> list[str]:
    failed = [
        f"{check['severity']:5} {check['asset']} {check['check']}: {check['says']}" for check in state.failed_checks
    ]
    return failed or ["No failed checks."]


def _fitted(lines: Sequence[str], width: int, room: int) -> list[str]:
    """As many lines as there is room for: whole ones, else their beginnings, and how many are left out."""
    whole = [part for line in lines for part in textwrap.wrap(line, width, subsequent_indent=_CHECK_INDENT)]
    if len(whole) <= room:
        return whole
    cut = [line if len(line) <= width else f"{line[: width - 3]}..." for line in lines]
    if len(cut) <= room:
        return cut
    left = len(cut) - room + 1
    return [*cut[: room - 1], f"{left} more failed checks: bridgecart status --json"]


def _head(state: "Status") -> list[str]:
    lag = "unknown" if state.lag is None else f"{state.lag:,} records{_in_transactions(state)}"
    last = state.last_batch or "none"
    facts = {
        "Orders sensor": _sensor(state),
        "Daemon": _daemon(state),
        **_waiting(state),
        "Lag": lag,
        "Last batch": f"{last}{_ago(state.age(state.last_batch_at))} ({state.batches:,} in all)",
        "Data until": _data_until(state),
        **({"History": state.history} if state.history else {}),
        "Kafka": state.kafka,
        **({"Mapping": state.mapping} if state.mapping else {}),
        "Warehouse": state.warehouse,
    }
    return [f"{name:<{_LABEL}}{' '.join(said.split())}" for name, said in facts.items()]


def _data_until(state: "Status") -> str:
    if state.data_clock is None:
        return "no order yet"
    by_the_shops_clock = state.data_clock.astimezone(ZoneInfo(state.calendar))
    return f"{by_the_shops_clock:%Y-%m-%d %H:%M} {state.calendar}{_ago(state.age(state.data_clock))}"


def _in_transactions(state: "Status") -> str:
    records = state.waiting_for_transactions
    return f"; {records:,} more wait for an open transaction of a producer" if records else ""


def _sensor(state: "Status") -> str:
    sensor = state.sensor
    if not sensor.is_on:
        when = f"{_ago(state.age(sensor.since))}" or ", never evaluated"
        return f"OFF{when}: no order is taken in. Switch it on under Automation in the Dagster UI."
    if sensor.failing is not None:
        return f"FAILS at every tick: {sensor.failing}"
    last = f"last tick{_ago(state.age(sensor.last_tick_at), comma='')}" if sensor.last_tick_at else "never evaluated"
    return f"on, {last}"


def _daemon(state: "Status") -> str:
    heard = state.daemon.last_heard_at
    if heard is None:
        return "never heard: `bridgecart up` has one, `bridgecart run` needs none"
    ago = _ago(state.age(heard), comma="")
    return f"alive, heard{ago}" if state.daemon.is_alive else f"SILENT, last heard{ago}: start `bridgecart up`"


def _waiting(state: "Status") -> Mapping[str, str]:
    batch = state.waiting_batch
    if batch is None:
        return {}
    times = "once" if batch.failures == 1 else f"{batch.failures} times"
    name = "STUCK BATCH" if batch.is_stuck else "Batch waits"
    return {name: f"{batch.key} failed {times}{_ago(state.age(batch.last_failed_at))}: {batch.last_error}"}


def _table(rows: Mapping[str, int], *, columns: int, headed: bool = True) -> list[str]:
    """Tables and their rows, column by column."""
    if not rows:
        return []
    name_width = max(map(len, rows))
    number_width = max(len(f"{count:,}") for count in rows.values())
    cells = [f"{name:<{name_width}} {f'{count:,}':>{number_width}}" for name, count in rows.items()]
    depth = -(-len(cells) // columns)
    lines = [_GAP.join(cells[start::depth]) for start in range(depth)]
    heading = f"{'Table':<{name_width}} {'Rows':>{max(number_width, 4)}}"
    return ["", *([_GAP.join([heading] * columns)] if headed else []), *lines]


def _ago(seconds: float | None, *, comma: str = ",") -> str:
    """Time ago, in the largest unit that says something; empty where it is not known."""
    if seconds is None:
        return ""
    for unit, length in (("days", 2 * 86_400), ("h", 2 * 3_600), ("min", 120)):
        if seconds >= length:
            return f"{comma} {seconds // (length // 2):,.0f} {unit} ago"
    return f"{comma} {seconds:.0f} s ago"

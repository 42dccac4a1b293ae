"""Customers at the openings of periods, the intervals of their segments, and the flows between these.

What a customer was when a period opened stands for good, unless an order comes or goes that is dated before. So the
openings of a period are written once, of what the totals were then; flows are sums, and what comes is added to them.
Whoever is late is told anew from all of their orders, by the SQL that makes everything. What belongs elsewhere: how
far the tables have followed, and whether they can (`rebuild.py`).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from bridgecart_assets.base.quoting import sql_name, sql_names
from bridgecart_assets.contracts import (
    CUSTOMER_OPENINGS,
    CUSTOMER_SCORES,
    CUSTOMER_SEGMENTS,
    REFRESHES,
    SEGMENT_FLOWS,
    SEGMENT_INTERVALS,
    SILVER_ORDERS,
    Contract,
)
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.warehouse.incremental.rebuild import is_large_share
from bridgecart_assets.warehouse.incremental.scope import FullScope, relate_rows
from bridgecart_assets.warehouse.storage.outputs import Carried, Changes, Following, Parameter, Query
from bridgecart_assets.warehouse.storage.tables import (
    check_key,
    checked_parameters,
    delete_slice,
    explaining,
    insert_rows,
    replace_rows,
    run_steps,
    used_parameters,
    with_computed,
)

# The customers and dates that are scored.
_FROM_ORDERS, _IN_TIME, _AT_OPENINGS = (
    "gold/tmp_snapshots",
    "gold/tmp_states_of_now",
    "gold/tmp_everybody_at_openings",
)
_TIMELINE = "gold/tmp_timeline"
_SINCE, _LATE_TIMELINE = "gold/tmp_everybody_since", "gold/tmp_late_timeline"
_DELETE, _MOVE = "internal/delete_retold", "internal/move_intervals"
# With the sign that flows of these rows have.
_SIDES = {"before": "-", "after": "+"}
_WRITTEN = (CUSTOMER_OPENINGS, SEGMENT_INTERVALS, SEGMENT_FLOWS)
_CLOCK = "gold/tmp_clock"
# What is read of the changes before anything is written.
_CHANGES = [file for file in chain("gold/tmp_late_orders", "gold/tmp_changed") if file != _CLOCK]
_KEYS = sql_names(SEGMENT_FLOWS.key)
_SUMS = [sql_name(column) for column in SEGMENT_FLOWS.column_names if column not in SEGMENT_FLOWS.key]


def make_openings(connection: duckdb.DuckDBPyConnection, query: Query) -> None:
    """Make openings, intervals and flows from all orders."""
    run_steps(connection, [_CLOCK], query.parameters)
    _Openings(connection, query, query.parameters).make()


def can_follow_openings(connection: duckdb.DuckDBPyConnection, query: Query, changes: Changes) -> Following | None:
    """The way to what the orders say now, with the changes read and nothing written.

    None where nothing is there to follow from, or so many customers are late that it is faster to make all rows.
    """
    run_steps(connection, [_CLOCK], query.parameters)
    ((opening, is_same_date),) = connection.execute(
        "select max(period), (select as_of from clock) = $was from periods where period < $was", {"was": changes.was}
    ).fetchall()
    if opening is None or not (is_same_date or _are_scored(connection, changes.revision)):
        return None
    following = Following(changes, opening, is_same_date)
    run_steps(connection, _CHANGES, {**query.parameters, **following.parameters})
    # Not of the totals: while Spark's engine asks, those are only of the customers that changed.
    ((late, everybody),) = connection.execute(
        "select (select count(*) from retold), (select count(*) from gold.customer_scores)"
    ).fetchall()
    return None if is_large_share(late, everybody) else following


def follow_openings(connection: duckdb.DuckDBPyConnection, query: Query, following: Following) -> None:
    """Take in what came and went, as it was read when the way was found."""
    _Openings(connection, query, {**query.parameters, **following.parameters}).follow(following)


def add_to_flows(connection: duckdb.DuckDBPyConnection, kept: str) -> None:
    """Put the sums in `added` on the stored flows that are kept; all others go, and those of periods that are gone."""
    sums = ", ".join(f"sum({column}) as {column}" for column in _SUMS)
    connection.execute(
        f"create or replace temp table added_up as select {_KEYS}, {sums} "
        f"from (from {SEGMENT_FLOWS.full_name} where {kept} union all by name from added) "
        # Where the first order of all went, its period did.
        "where period in (select period from periods) "
        f"group by {_KEYS} having {' or '.join(f'sum({column}) <> 0' for column in _SUMS)}"
    )
    replace_rows(connection, SEGMENT_FLOWS, "select * from added_up", {}, None)


def kept_flows(following: Following) -> str:
    """Condition of the stored flows that stay: on a new date those of the period that was open are made anew."""
    return "true" if following.is_same_date else f"period < date '{following.opening.isoformat()}'"


def _are_scored(connection: duckdb.DuckDBPyConnection, revision: int) -> bool:
    """True if customers have been scored as of the clock, with all changes up to the revision."""
    known = f"select 1 from {REFRESHES.full_name} where table_name = '{CUSTOMER_SEGMENTS.full_name}' and revision >= ?"
    dated = f"(select min(as_of) from {CUSTOMER_SCORES.full_name}) = (select as_of from clock)"
    return connection.execute(f"{known} and {dated}", [revision]).fetchone() is not None


@dataclass(frozen=True)
class _Openings:
    """The tables of openings, intervals and flows on their way to what the orders say.

    Of `parameters`, `opening` is that of the period that was open when they were written.
    """

    connection: duckdb.DuckDBPyConnection
    query: Query
    parameters: Mapping[str, Parameter]

    def make(self) -> None:
        """Make all rows, one part of the customers after the other."""
        for table in _WRITTEN:
            delete_slice(self.connection, table, None)
        self._begin_flows("true")
        for part in FullScope().parts(self.connection):
            relate_rows(self.connection, part, SILVER_ORDERS)
            self._tell(of=_FROM_ORDERS)
            self.connection.execute("create or replace temp table made_timeline as from timeline")
            self._insert(CUSTOMER_OPENINGS, self._clusters())
            self._insert(SEGMENT_INTERVALS)
            self._add("from made_timeline")
            check_key(self.connection, CUSTOMER_OPENINGS, "made_timeline")
        add_to_flows(self.connection, "true")

    def follow(self, following: Following) -> None:
        """Take in the changes. On a new date everybody is another, but as of now only."""
        self._tell_late()
        if following.is_same_date:
            self._tell_in_time()
        kept = kept_flows(following)
        self._begin_flows(kept)
        for side, sign in _SIDES.items():
            self._add(f"select * exclude (side) from changed where side = '{side}'", sign=sign)
        is_late = self._any("retold")
        if is_late:
            self._run(_DELETE)
        if not following.is_same_date:
            self._open_periods()
        if is_late:
            self._insert_late()
        if not following.is_same_date:
            self._add_open_flows()
        add_to_flows(self.connection, kept)

    def _tell_late(self) -> None:
        """Add who is late to what changed, as told by their orders before and after."""
        for side in _SIDES if self._any("retold") else ():
            self.connection.execute(f"create or replace temp view scoped_orders as from orders_{side}")
            self._tell(of=_FROM_ORDERS)
            self.connection.execute("insert into changed by name select * replace (? as side) from timeline", [side])
        self._run(_LATE_TIMELINE)

    def _tell_in_time(self) -> None:
        """Add who is in time to what changed, as of now."""
        if self._any("in_time"):
            self._tell(of=_IN_TIME)
            self.connection.execute("insert into changed by name from timeline")

    def _open_periods(self) -> None:
        """Write the openings of new periods, and whose segment is another at one of them."""
        self._tell(of=_AT_OPENINGS)
        self.connection.execute("create or replace temp view made_timeline as from timeline")
        self._insert(CUSTOMER_OPENINGS)
        check_key(self.connection, CUSTOMER_OPENINGS, f"(from gold.customer_openings where as_of > {self._opening})")
        opened = "from new_periods order by period"
        for (period,) in self.connection.execute(opened).fetchall():
            self._run(_MOVE, opened=period.isoformat())

    def _insert_late(self) -> None:
        self.connection.execute("create or replace temp view made_timeline as from late_timeline")
        self._insert(CUSTOMER_OPENINGS, ["as_of > (select since from retold l where l.customer_id = rows.customer_id)"])
        self._insert(SEGMENT_INTERVALS)
        theirs = "as_of > (select min(since) from retold) and customer_hash in (select customer_hash from retold)"
        check_key(self.connection, CUSTOMER_OPENINGS, f"(from gold.customer_openings where {theirs})")

    def _add_open_flows(self) -> None:
        """Add the flows of the period that was open, and of those since, which are made anew."""
        self._count_periods(f"period >= {self._opening}")
        self._run(_SINCE)
        self._add("from everybody_at_openings", "from everybody_at_closes")

    @property
    def _opening(self) -> str:
        return f"date '{self.parameters['opening']}'"

    def _run(self, file: str, **parameters: Parameter) -> None:
        run_steps(self.connection, [file], {**self.parameters, **parameters})

    def _tell(self, *, of: str) -> None:
        """Make `timeline` of the customers and dates that this file gives."""
        files = [file for file in chain(_TIMELINE, through=(of,)) if file not in (_CLOCK, *_CHANGES)]
        run_steps(self.connection, with_computed(files, self.query), self.parameters)

    def _any(self, relation: str) -> bool:
        return bool(self.connection.execute(f"from {relation} limit 1").fetchall())

    def _count_periods(self, condition: str) -> None:
        """Let flows be those of these periods."""
        self.connection.execute(f"create or replace temp table summed_periods as from periods where {condition}")

    def _clusters(self) -> Sequence[str]:
        """Conditions that divide all openings: those that orders of today tell something of are stored by date."""
        recent = (
            "select period from periods "
            "where period > (select max(period) from periods) - $churn_window_days order by period"
        )
        used = used_parameters(recent, self.parameters)
        dates = [f"date '{period.isoformat()}'" for (period,) in self.connection.execute(recent, used).fetchall()]
        return [f"as_of not in ({', '.join(dates)})", *(f"as_of = {day}" for day in dates)] if dates else ["true"]

    def _insert(self, table: Contract, conditions: Sequence[str] = ("true",)) -> None:
        select = read_sql(file_of(table.full_name))
        used = checked_parameters(self.connection, table, select, self.parameters)
        with explaining(table):
            for condition in conditions:
                insert_rows(self.connection, table, f"select * from ({select}) as rows where {condition}", used)

    def _begin_flows(self, periods: str) -> None:
        """Begin the sums that are added to the flows of these periods."""
        self._count_periods(periods)
        self.connection.execute(f"create or replace temp table added as from {SEGMENT_FLOWS.full_name} limit 0")

    def _add(self, at_openings: str, at_closes: str = "", *, sign: str = "+") -> None:
        """Add the flows of rows at openings to those at closes, which are the same rows where not named."""
        for moment, rows in (("openings", at_openings), ("closes", at_closes or at_openings)):
            self.connection.execute(f"create or replace temp view summed_{moment} as {rows}")
        select = read_sql(file_of(SEGMENT_FLOWS.full_name))
        used = used_parameters(select, self.parameters)
        signed = ", ".join(f"{sign}{column} as {column}" for column in _SUMS)
        self.connection.execute(f"insert into added by name select {_KEYS}, {signed} from ({select})", used)


def _files() -> tuple[str, ...]:
    timelines = [chain(_TIMELINE, through=(of,)) for of in (_FROM_ORDERS, _IN_TIME, _AT_OPENINGS)]
    written = [file_of(table.full_name) for table in _WRITTEN]
    others = (*_CHANGES, _LATE_TIMELINE, _SINCE, _DELETE, _MOVE, *written)
    return tuple(dict.fromkeys([*itertools.chain(*timelines), *others]))


OPENINGS = Carried(
    _WRITTEN,
    _files(),
    make_openings,
    can_follow_openings,
    follow_openings,
)
"""Openings, intervals and flows: what the snapshots and the membership of segments are views of."""

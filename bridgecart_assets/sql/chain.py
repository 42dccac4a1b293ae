"""In which order SQL files run: each after those that give what it needs.

Of several files that give the same, one that is named by `through` is taken, else the one in the same folder.
"""

from collections.abc import Collection, Iterator, Sequence

from bridgecart_assets.contracts import KPIS
from bridgecart_assets.sql.headers import Header, HeaderError, headers

# What Python makes before the files run, and the table of the warehouse behind it; "" is none.
FROM_PYTHON = {
    "scoped_orders": "silver.orders",
    "scoped_customers": "silver.customers",
    "scoped_customer_features": "gold.customer_features",
    "scoped_customer_segments": "gold.customer_segments",
    "scoped_customer_scores": "gold.customer_scores",
    "scoped_segment_intervals": "gold.segment_intervals",
    "made_timeline": "silver.orders",
    "summed_openings": "gold.customer_openings",
    "summed_closes": "gold.customer_openings",
    "summed_periods": "gold.customer_openings",
    "fresh": "gold.customer_totals",
    "chunk": "",
    "said_of_chunk": "",
    "erased_before": "raw.orders",
    "listed": "",
    "mapped_batches": "",
    "made": "",
    **{kpi.column: kpi.table.full_name for kpi in KPIS},
}


def files_before(*targets: str) -> Sequence[str]:
    """The files that run before these, in order; the files themselves are left out."""
    return [file for file in chain(*targets) if file not in targets]


def chain(*targets: str, through: Sequence[str] = ()) -> Sequence[str]:
    """These files and all that run before them, in order. Raises HeaderError where a need has no file, or several."""
    through = [*through, *(file for target in targets for file in headers()[target].through)]
    # A dictionary keeps the order in which its keys came.
    ordered: dict[str, None] = {}
    for target in (*targets, *through):
        _visit(target, through, ordered, ())
    return list(ordered)


def _visit(file: str, through: Collection[str], ordered: dict[str, None], waiting: tuple[str, ...]) -> None:
    if file in waiting:
        raise HeaderError(f"These SQL files need each other: {', '.join(waiting)}.")
    if file in ordered:
        return
    for provider in _providers(headers()[file], through):
        _visit(provider, through, ordered, (*waiting, file))
    ordered[file] = None


def _providers(header: Header, through: Collection[str]) -> Iterator[str]:
    for need in header.relations:
        if need not in FROM_PYTHON:
            yield _provider(header, need, through)


def _provider(header: Header, need: str, through: Collection[str]) -> str:
    giving = [one for one in headers().values() if need in one.made]
    chosen = [one for one in giving if one.file in through]
    beside = [one for one in giving if one.folder == header.folder]
    for candidates in (chosen, beside, giving):
        if len(candidates) == 1:
            return candidates[0].file
    raise HeaderError(f"sql/{header.file}.sql needs {need}, which {len(giving)} files give.")

"""Made-up worlds whose records come in portions: late, sent twice, changed, refunded, deleted, without sense."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from bridgecart_assets.sources.kafka.producing import Event
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets_tests.support.mapped import MAPPING, change, row

_OPENED = datetime(2025, 1, 1, tzinfo=UTC)
_DAYS = 300
# After all purchases: a record from before its purchase is rejected.
_SENT_MS = int(datetime(2026, 1, 10, tzinfo=UTC).timestamp() * 1000)
_SETTINGS: Mapping[str, Sequence[str]] = {
    "KPI_PERIOD": ("month", "week"),
    "CHURN_WINDOW_DAYS": ("30", "90"),
    "CALENDAR_TIMEZONE": ("UTC", "Asia/Kolkata", "America/Los_Angeles"),
    "MAX_BATCH_RECORDS": ("120", "500000"),
    "SEGMENTS": ("3", "auto"),
}
_REJECTS_ARE_NO_MATTER = {"BRIDGECART_MAX_REJECT_SHARE": "1", "BRIDGECART_ERROR_REJECT_SHARE": "1"}


@dataclass(frozen=True)
class World:
    """Records in portions, each taken in before the next is sent, and the settings that read them.

    `others` are settings that read the same records otherwise.
    """

    portions: Sequence[Sequence[Event]]
    settings: Mapping[str, str]
    others: Mapping[str, str]


def random_world(seed: int, orders: int, folder: Path, *, portions: int) -> World:
    """A world of about so many orders: BridgeCart's own events, or a change feed with a mapping, which is put there."""
    chance = Random(seed)
    drawn = {f"BRIDGECART_{name}": chance.choice(values) for name, values in _SETTINGS.items()}
    settings = {**drawn, **_REJECTS_ARE_NO_MATTER}
    if chance.random() < 0.4:
        mapping, other = folder / "feed.toml", folder / "other.toml"
        mapping.write_text(MAPPING)
        other.write_text(MAPPING.replace("value.after.total", "value.after.total::decimal(18, 2) * 2"))
        events = list(_feed(chance, orders))
        return World(_portions(chance, events, portions), {**settings, _MAPPING: str(mapping)}, {_MAPPING: str(other)})
    settings["BRIDGECART_ORDER_EVENTS"] = chance.choice(("orders", "lines", "states"))
    events = list(_own_events(chance, seed, orders))
    return World(_portions(chance, events, portions), settings, {"BRIDGECART_AMOUNT_IS_NET": "true"})


_MAPPING = "BRIDGECART_MAPPING"


def _own_events(chance: Random, seed: int, orders: int) -> Iterator[Event]:
    """The history of a bad week: of some orders another event with the same id comes after."""
    world = simulate(
        WorldConfig(
            seed=seed,
            orders=orders,
            share_redelivered=0.05,
            share_late=0.1,
            share_refunded=0.1,
            share_malformed=0.03,
        )
    )
    for batch in world.history():
        for key, value, timestamp in batch:
            yield key, value, timestamp
            if value is not None and b'"order_id":"O' in value and chance.random() < 0.08:
                again = {**json.loads(value), "purchase_amount": chance.randrange(1, 300)}
                yield key, json.dumps(again).encode(), timestamp + 1000


def _feed(chance: Random, orders: int) -> Iterator[Event]:
    """The changes of a table of orders, in the order in which they arrive, which is not that of the table."""
    sent = [(lsn + chance.expovariate(0.2), key, value) for lsn, (key, value) in enumerate(_changes(chance, orders))]
    for place, (_, key, value) in enumerate(sorted(sent, key=lambda one: one[0])):
        timestamp = _SENT_MS + 1000 * place
        yield key, value, timestamp
        if chance.random() < 0.03:
            yield key, chance.choice((value, None, b"{", b"[]")), timestamp


def _changes(chance: Random, orders: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(orders):
        at = _OPENED + timedelta(days=_DAYS * chance.random())
        customer = f"C{int(chance.paretovariate(1)) % 40}"
        person = {"name": f"Name {customer}", "phone": "+91 98450 00000", "sex": "F", "age": 41, "income": "9.5"}
        now = row(id=number, customer=customer, ordered_at=_written(at), total=_amount(chance), person=person)
        yield _key(customer), change("c", 10 * number, now)
        for step in range(1, 1 + int(chance.expovariate(1))):
            if chance.random() < 0.1:
                yield _key(customer), change("d", 10 * number + step, None, now)
                break
            refund = {"at": _written(at + timedelta(days=step)), "amount": "1.50"}
            refunds = [*now["refunds"], refund] if chance.random() < 0.5 else now["refunds"]
            now = {**now, "total": _amount(chance), "refunds": refunds}
            yield _key(customer), change("u", 10 * number + step, now)


def _portions(chance: Random, events: Sequence[Event], count: int) -> Sequence[Sequence[Event]]:
    """Some of the first come in the last as well, or there alone."""
    cut = len(events) // count
    first, *others = (list(events[part * cut : (part + 1) * cut]) for part in range(count))
    late = [event for event in first if chance.random() < 0.05]
    again = [event for event in first if chance.random() < 0.03]
    others[-1] += [*late, *again]
    return [event for event in first if event not in late], *others


def _amount(chance: Random) -> str:
    return f"{chance.lognormvariate(4, 0.8):.2f}"


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _key(customer: str) -> bytes:
    return customer.encode()

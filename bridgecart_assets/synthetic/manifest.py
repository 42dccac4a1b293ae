"""Exact totals of a world's history: the figures a pipeline has to arrive at."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from bridgecart_assets.synthetic.config import WorldConfig
from bridgecart_assets.synthetic.deliveries import LATE, MALFORMED_FROM, REDELIVERED, Deliveries
from bridgecart_assets.synthetic.malformed import KINDS
from bridgecart_assets.synthetic.orders import Orders


@dataclass(frozen=True)
class Manifest:
    """Counts over `World.history()`.

    `events` = `purchases` + `refunds` + `redelivered` (second copies) + `malformed`; `late` of the purchases
    came a day or more after their date. `customers` have a purchase, `repeat_customers` two or more.
    `net_sales` is the sum of amount - discount over purchases and refunds, each once, in INR.
    """

    events: int
    purchases: int
    refunds: int
    redelivered: int
    late: int
    malformed: int
    malformed_by_kind: Mapping[str, int]
    customers: int
    repeat_customers: int
    net_sales: Decimal

    @property
    def repeat_share(self) -> float:
        """Share of customers with two or more purchases; 0 without customers."""
        return self.repeat_customers / self.customers if self.customers else 0.0


def build_manifest(config: WorldConfig, orders: Orders, history: Deliveries) -> Manifest:
    """Figures of the history phase, counted from the arrays it is encoded from."""
    hows = np.bincount(history.how, minlength=MALFORMED_FROM + len(KINDS)).tolist()
    accepted = orders.take(orders.ordered_ms < config.end_ms)
    is_purchase = accepted.gross_cents > 0
    purchases_each = np.unique(accepted.customer[is_purchase], return_counts=True)[1]
    net_cents = int((accepted.gross_cents - accepted.discount_cents).sum())
    return Manifest(
        events=len(history),
        purchases=int(is_purchase.sum()),
        refunds=int((~is_purchase).sum()),
        redelivered=hows[REDELIVERED],
        late=hows[LATE],
        malformed=sum(hows[MALFORMED_FROM:]),
        malformed_by_kind=dict(zip(KINDS, hows[MALFORMED_FROM:], strict=True)),
        customers=len(purchases_each),
        repeat_customers=int((purchases_each > 1).sum()),
        net_sales=Decimal(net_cents).scaleb(-2),
    )

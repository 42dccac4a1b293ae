"""The CDNOW log: everything that 2,357 customers, who first bought in early 1997, bought until June 1998.

It is the sample on which the purchase models were published (Fader, Hardie and Lee 2005), so what is computed from it
can be compared. The file is part of the package `lifetimes`, which is found but never imported:
installed without its dependencies it could not be.
"""

import hashlib
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.sources.files.purchase_log import LoggedOrder, PurchaseLog

REQUIREMENT = "lifetimes==0.11.3"

_FILE = "lifetimes/datasets/CDNOW_sample.txt"
_SHA256 = "6fae10155c0b0ba363c2c386e30f77990d22328220efd862a5edd1443420d94a"


class LogMissing(BridgeCartError):
    """The file of the log is not installed, or it is another one."""


def read_cdnow() -> PurchaseLog:
    """The log as it was published. Raises LogMissing."""
    file = _installed_file()
    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise LogMissing(
            f"{file} is not the CDNOW log of {REQUIREMENT}: "
            f"run `pip install --no-deps --force-reinstall {REQUIREMENT}` first."
        )
    return parse_cdnow(content.decode())


def parse_cdnow(text: str) -> PurchaseLog:
    """The log from its lines: master id, sample id, yyyymmdd, number of CDs, dollars.

    What a customer bought on one day is one order, in as many lines as it may stand. That is how the published figures
    count; the log has no time of day, so the orders are dated noon, which is that day in nearly every time zone.
    """
    dollars: dict[tuple[datetime, str], Decimal] = defaultdict(Decimal)
    for line in text.splitlines():
        _, customer, day, _, paid = line.split()
        noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
        dollars[noon, f"CDNOW-{customer}"] += Decimal(paid)
    return PurchaseLog("CDNOW", tuple(LoggedOrder(*key, amount) for key, amount in sorted(dollars.items())))


def _installed_file() -> Path:
    try:
        return Path(str(distribution("lifetimes").locate_file(_FILE)))
    except PackageNotFoundError:
        raise LogMissing(
            f"The CDNOW log is in a package that is not installed: run `pip install --no-deps {REQUIREMENT}` first."
        ) from None

"""Minor units of currencies, by ISO 4217: how many digits a unit has."""

from collections.abc import Mapping
from types import MappingProxyType

_OTHER_DIGITS: Mapping[int, str] = MappingProxyType(
    {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }
)
_DIGITS = {currency: digits for digits, currencies in _OTHER_DIGITS.items() for currency in currencies.split()}
_USUAL = 2


def minor_digits_of(currency: str) -> int:
    """Digits of its minor unit: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _DIGITS.get(currency, _USUAL)

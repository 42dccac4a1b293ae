"""Names of made-up customers."""

import sys

import pytest

from bridgecart_assets.synthetic.names import FakerMissing, build_name_pools


def test_without_faker_one_line_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faker", None)
    with pytest.raises(FakerMissing, match=r"^made-up customers .* pip install faker"):
        build_name_pools(1)

"""What a test needs from the machine: skipped with a reason where it is missing, failed where it has to be there."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test for this reason; fail it instead under BRIDGECART_REQUIRE_ALL=1, as continuous integration sets."""
    if os.environ.get("BRIDGECART_REQUIRE_ALL") == "1":
        pytest.fail(f"required by BRIDGECART_REQUIRE_ALL=1, but {reason}", pytrace=False)
    pytest.skip(reason)

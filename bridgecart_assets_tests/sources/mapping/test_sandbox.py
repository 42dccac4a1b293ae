"""The sandbox of expressions is kept, by whoever may go on with it."""

import os
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from bridgecart_assets.sources.mapping.sandbox import kept_sandbox


def test_a_thread_goes_on_with_its_own_in_the_same_time_zone():
    here = kept_sandbox("UTC")
    assert kept_sandbox("UTC") is here
    assert kept_sandbox("Asia/Kolkata") is not here
    with ThreadPoolExecutor(1) as other:
        assert other.submit(kept_sandbox, "UTC").result() is not here


def test_that_of_a_thread_that_has_ended_is_closed_when_another_is_made():
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(kept_sandbox, "UTC").result()
        here = kept_sandbox("Europe/Berlin")
        assert theirs.execute("select 1").fetchall() == [(1,)]
    kept_sandbox("Asia/Tokyo")
    with pytest.raises(duckdb.ConnectionException):
        theirs.execute("select 1")
    assert kept_sandbox("Europe/Berlin") is here


def test_a_forked_process_has_none_of_its_parent(monkeypatch: pytest.MonkeyPatch):
    here = kept_sandbox("UTC")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert kept_sandbox("UTC") is not here

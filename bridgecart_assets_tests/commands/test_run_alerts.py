"""`bridgecart run` under cron, which nobody watches."""

import pytest

from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line
from bridgecart_assets_tests.support.webhooks import webhook


def test_a_run_that_fails_under_cron_posts_once_and_ends_as_ever(
    bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("BRIDGECART_KAFKA_TIMEOUT_SECONDS", "0.5")
    with webhook() as hook:
        monkeypatch.setenv("BRIDGECART_ALERT_WEBHOOK", hook.url)
        for _ in range(2):
            assert_one_line(bridgecart("run"), "no answer from Kafka at 127.0.0.1:9")
        (message,) = hook.posted
    assert "`bridgecart run` failed: " in message
    assert "no answer from Kafka at 127.0.0.1:9" in message

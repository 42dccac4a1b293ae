"""The book of what was told: one for all, whatever is killed in between."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.orchestration.monitoring import telling
from bridgecart_assets.orchestration.monitoring.causes import Cause, Seen
from bridgecart_assets.orchestration.monitoring.telling import BookUnusable, Told, book_path, read_book, tell
from bridgecart_assets_tests.support.webhooks import Webhook, webhook

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BROKEN: Seen = {"run": [Cause("run/job/refresh", "A run failed: a < b", "a run succeeded.")]}
SOUND: Seen = {"run": []}


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as hook:
        yield hook


@pytest.fixture
def settings(hook: Webhook, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings.data_dir.mkdir()
    monkeypatch.setenv("BRIDGECART_ALERT_WEBHOOK", hook.url)
    return load_settings()


def told(settings: Settings, seen: Seen, minutes: int = 0) -> Told:
    return tell(settings, lambda _: seen, NOW + timedelta(minutes=minutes))


def test_a_cause_is_posted_once_and_once_when_it_is_over(settings: Settings, hook: Webhook):
    assert told(settings, BROKEN) == Told(1, 0, 1)
    assert told(settings, BROKEN, 1) == Told(0, 0, 1)
    assert told(settings, SOUND, 2) == Told(1, 0, 0)
    assert told(settings, SOUND, 3) == Told(0, 0, 0)
    assert hook.posted == [
        "BridgeCart (bridgecart.orders): 2026-03-01 12:00 UTC. A run failed: a &lt; b",
        "BridgeCart (bridgecart.orders): 2026-03-01 12:02 UTC. Over: a run succeeded.",
    ]
    assert "s3cr3t" not in book_path(settings).read_text()


def test_what_the_webhook_does_not_take_is_posted_once_it_does_in_the_order_of_events(
    settings: Settings, hook: Webhook
):
    hook.status = 503
    first = told(settings, BROKEN)
    assert (first.posted, first.waiting, "it answered 503" in str(first)) == (0, 1, True)
    # Left alone for a while: the second look asks for nothing.
    assert (told(settings, SOUND).waiting, hook.asked) == (2, 1)
    hook.status = 200
    assert told(settings, SOUND, 30) == Told(2, 0, 0)
    assert [message.split(" UTC. ")[1] for message in hook.posted] == [
        "A run failed: a &lt; b",
        "Over: a run succeeded.",
    ]


def test_a_slow_webhook_holds_nobody_up_for_long(settings: Settings, hook: Webhook, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(telling, "PATIENCE_SECONDS", 0.0)
    many: Seen = {"run": [Cause(f"run/job/{number}", "failed", "over") for number in range(5)]}
    assert told(settings, many) == Told(0, 5, 5)
    monkeypatch.setattr(telling, "PATIENCE_SECONDS", 5.0)
    assert told(settings, many) == Told(5, 0, 5)


def test_killed_between_note_and_post_the_message_is_not_lost(
    settings: Settings, hook: Webhook, monkeypatch: pytest.MonkeyPatch
):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(telling, "post", killed)
        with pytest.raises(KeyboardInterrupt):
            told(settings, BROKEN)
    assert hook.posted == []
    assert told(settings, BROKEN, 1) == Told(1, 0, 1)
    assert len(hook.posted) == 1


def test_a_book_that_is_none_is_named_and_left_alone(settings: Settings, hook: Webhook):
    book_path(settings).write_text("{not a book")
    with pytest.raises(BookUnusable, match=r"alerts\.json is no list of alerts: remove it"):
        told(settings, BROKEN)
    assert (book_path(settings).read_text(), hook.posted) == ("{not a book", [])


def test_where_the_book_cannot_be_kept_nothing_is_posted_again_and_again(settings: Settings, hook: Webhook):
    settings.data_dir.rmdir()
    settings.data_dir.write_text("a file")
    for _ in range(3):
        with pytest.raises(BookUnusable, match="make its folder writable"):
            told(settings, BROKEN)
    assert hook.posted == []


def test_the_book_knows_when_it_was_looked_at(settings: Settings):
    told(settings, BROKEN)
    assert read_book(book_path(settings)).looked_at == NOW

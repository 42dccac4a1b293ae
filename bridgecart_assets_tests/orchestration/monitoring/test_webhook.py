"""A message on its way to a webhook: what arrives, what does not, and that its address stays a secret."""

import socket
import traceback
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bridgecart_assets.base.settings import SettingsError, load_settings
from bridgecart_assets.orchestration.monitoring.webhook import NotDelivered, post
from bridgecart_assets_tests.support.webhooks import SECRET, Webhook, webhook


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as hook:
        yield hook


def refusal(url: str) -> str:
    """Why it was not taken; neither the error nor its traceback names the secret."""
    with pytest.raises(NotDelivered) as failure:
        post(SecretStr(url), "hello", timeout_seconds=0.3)
    assert "s3cr3t" not in "".join(traceback.format_exception(failure.value))
    return str(failure.value)


def test_it_gets_slacks_form_with_what_slack_would_take_for_markup_escaped(hook: Webhook):
    post(SecretStr(hook.url), "3 < 4 & <!channel> é")
    assert hook.posted == ["3 &lt; 4 &amp; &lt;!channel&gt; é"]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_answer_that_is_no_success_is_said_with_its_number(hook: Webhook, status: int):
    hook.status = status
    assert f"it answered {status}" in refusal(hook.url)


def test_one_that_does_not_answer_is_left_after_the_time_out(hook: Webhook):
    hook.awake.clear()
    assert "no answer within 0.3 s" in refusal(hook.url)


def test_a_redirect_is_not_followed_to_where_nobody_meant_it_to_go(hook: Webhook):
    hook.status, hook.headers = 302, {"Location": f"http://127.0.0.1:{hook.port}/elsewhere"}
    assert "it answered 302" in refusal(hook.url)
    assert (hook.asked, hook.posted) == (1, [])


@pytest.mark.parametrize(
    "address",
    [f"http://127.0.0.1:9/{SECRET}", f"http://no.such.host.invalid/{SECRET}", f"https://127.0.0.1:9/{SECRET}"],
)
def test_where_nobody_listens_it_says_so(address: str):
    assert refusal(address).startswith("The webhook of BRIDGECART_ALERT_WEBHOOK did not take a message: ")


def test_what_is_no_web_server_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "did not take" in refusal(f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}")


def test_the_proxy_of_the_environment_is_used_but_not_for_this_machine(hook: Webhook, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    post(SecretStr(hook.url), "to this machine")
    assert hook.posted == ["to this machine"]
    with webhook() as proxy:
        proxy.status = 502
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert "it answered 502" in refusal(f"http://hooks.example/{SECRET}")
        assert proxy.asked == 1


@pytest.mark.parametrize(
    "address", ["hooks.slack.com/x", "ftp://h/s3cr3t", "https:///x", "https://h/s3 cr3t", "http://h:x/"]
)
def test_an_address_that_is_none_is_named_without_itself(monkeypatch: pytest.MonkeyPatch, address: str):
    monkeypatch.setenv("BRIDGECART_ALERT_WEBHOOK", address)
    with pytest.raises(SettingsError, match="BRIDGECART_ALERT_WEBHOOK: give an address") as failure:
        load_settings()
    assert address not in "".join(traceback.format_exception(failure.value))


def test_settings_do_not_show_it(monkeypatch: pytest.MonkeyPatch, hook: Webhook):
    monkeypatch.setenv("BRIDGECART_ALERT_WEBHOOK", hook.url)
    settings = load_settings()
    assert "s3cr3t" not in f"{settings!r} {settings} {settings.model_dump_json()}"

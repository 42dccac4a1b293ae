"""Posting a message to a webhook of Slack's form. Its address is a secret: no error, log line or repr has it."""

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from typing import IO
from urllib.parse import urlsplit

from pydantic import SecretStr

from bridgecart_assets.base.errors import BridgeCartError

TIMEOUT_SECONDS = 5.0


class NotDelivered(BridgeCartError):
    """The webhook did not take a message; says why, without its address."""


def post(address: SecretStr, text: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Post `{"text": ...}`, once. Raises NotDelivered."""
    url = address.get_secret_value()
    body = json.dumps({"text": escaped(text)}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with _opener(url).open(request, timeout=timeout_seconds) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        with error:
            raise _not_delivered(f"it answered {error.code}") from None
    # Texts of the others may quote the address.
    except urllib.error.URLError as error:
        raise _not_delivered(_reason(error.reason, timeout_seconds)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _not_delivered(_reason(error, timeout_seconds)) from None


def escaped(text: str) -> str:
    """A text as Slack shows it as it is: no link, no mention of anybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _not_delivered(why: str) -> NotDelivered:
    return NotDelivered(f"The webhook of BRIDGECART_ALERT_WEBHOOK did not take a message: {why}.")


def _reason(error: object, timeout_seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_seconds:g} s"
    said = getattr(error, "strerror", None) or type(error).__name__
    return " ".join(str(said).split())


def _opener(url: str) -> urllib.request.OpenerDirector:
    """A client that uses the proxy of the environment, but not for this machine, and follows no redirect."""
    proxies = urllib.request.ProxyHandler({} if _is_loopback(urlsplit(url).hostname or "") else None)
    return urllib.request.build_opener(proxies, _NoRedirect)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET without a message, at an address that nobody named."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        return None

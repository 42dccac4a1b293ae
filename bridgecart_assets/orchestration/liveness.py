"""Asking whether a process is alive. One that is there and does not answer is as good as dead."""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import KafkaFailure
from bridgecart_assets.sources.kafka.positions import cluster_id

ANSWER_SECONDS = 5.0


@dataclass
class Liveness:
    """Patience with one process: silent is what answered no question for `patience` seconds.

    Counted from the first question without an answer, so that neither a busy machine nor one that slept is mistaken
    for a dead process.
    """

    ask: Callable[[], bool]
    every: float
    patience: float
    now: Callable[[], float] = time.monotonic
    _next: float = 0.0
    _silent_since: float | None = field(default=None)

    def is_silent(self) -> bool:
        """Ask if it is time to; whether patience is over."""
        if self.now() >= self._next:
            answered = self.ask()
            asked_at = self.now()
            self._next = asked_at + self.every
            if answered:
                self._silent_since = None
            elif self._silent_since is None:
                self._silent_since = asked_at
        return self._silent_since is not None and self.now() - self._silent_since >= self.patience

    def start_over(self) -> None:
        """The process is another one now."""
        self._silent_since = None


def answers_http(url: str) -> bool:
    """True if a web server on this machine answers with 200. No proxy is asked, whatever `http_proxy` says."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", place.path or "/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def answers_kafka(bootstrap_servers: str) -> bool:
    """True if a broker answers."""
    try:
        cluster_id(KafkaConnection(bootstrap_servers, topic="", timeout_seconds=ANSWER_SECONDS))
    except KafkaFailure:
        return False
    return True


class Pulse:
    """Signs of life that Dagster's daemons leave in the storage, every 30 seconds each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last: Mapping[str, float | None] = {}

    def goes_on(self) -> bool:
        """True if every daemon gave a sign since the last question, and where the storage does not say.

        No clock is compared: those of a database server and of this machine may differ, or be set.
        """
        try:
            beats = self._beats()
        except BridgeCartError:
            return True
        before, self._last = self._last, beats
        return all(beat is not None and beat != before.get(daemon) for daemon, beat in beats.items())

    def _beats(self) -> Mapping[str, float | None]:
        with dagster_instance(self._settings) as instance:
            found = instance.get_daemon_heartbeats()
            required = sorted(instance.get_required_daemon_types())
        return {daemon: found[daemon].timestamp if daemon in found else None for daemon in required}

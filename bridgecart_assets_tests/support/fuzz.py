"""Bytes as no contract wants them: any bytes, any documents, and real events damaged in every way we could think of.

A storm is a function of its seed and of the installed hypothesis.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from bridgecart_assets.synthetic import Event
from bridgecart_assets_tests.support.records import event

VALID = event()
FIELDS = tuple(json.loads(VALID))
STRINGS = st.one_of(
    st.text(max_size=20),
    st.text("0123456789eE+-., _", max_size=12),
    st.text("0123456789TZ:-+. ()", max_size=30),
    st.sampled_from(("now", "infinity", "epoch", "2025-01-01T10:00:00Z", "99999-12-31", "1e9", "true", "C1", "\0")),
    st.datetimes().map(datetime.isoformat),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(10**60), 10**60),
        st.floats(),
        STRINGS,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=4,
)
DAMAGED_EVENTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4).map(
    lambda changed: json.dumps({**json.loads(VALID), **changed}).encode()
)
ANY_OBJECTS = st.dictionaries(st.sampled_from(FIELDS) | STRINGS, VALUES, max_size=14).map(
    lambda document: json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
)
PAYLOADS = st.one_of(
    DAMAGED_EVENTS,
    ANY_OBJECTS,
    st.binary(max_size=60),
    st.none(),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.tuples(st.integers(0, len(VALID)), st.binary(max_size=2)).map(
        lambda cut: VALID[: cut[0]] + cut[1] + VALID[cut[0] :]
    ),
)

# One record in so many is about as long as a payload may be, or longer.
_ONE_IN_LONG = 2_000
_DEEPEST = 100_000
_NUMBER = re.compile(rb"(?<=:)-?[0-9][0-9.]*")
_TEXT = re.compile(rb'(?<=:")[^"]*')
_NUMBERS = (
    *(b"1e999", b"-1e999", b"1e-999", b"NaN", b"-Infinity", b"Infinity", b"-0", b"0.0", b"-0.01", b"01", b"+1"),
    *(b"0x10", b"1.", b".5", b"1_000", b"9" * 19, b"9" * 400, b"0." + b"0" * 400 + b"1", b"1e308", b"5e-324"),
    *(b"999999999.995", b"1000000000.01", b"0.005", b"2.675", b'"12.50"', b'" 12"', b"true", b"null", b"[]", b"{}"),
)
_TEXTS = (
    *(b"", b" ", b"\0", b"\\u0000", b"\\ud800", b"\\udc00\\ud800", b"\\ud83d\\ude00", b"\xff\xfe", b"\xc0\x80"),
    *(b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xef\xbb\xbf", b"\\", b"\n", b"%s%n", b"'; drop table x --"),
    *(
        b"\xe2\x80\xae",
        "\U0001d7cf\U0001d7d0".encode(),
        b"now",
        b"infinity",
        b"2025-02-30T10:00:00Z",
        b"2025-06-31",
        b"0000-00-00",
    ),
    *(b"9999-12-31T23:59:59Z", b"1969-12-31T23:59:59Z", b"2025-01-01T10:00:00+99:99", b"12:30", b"1735725600"),
)
_TIMES_MS = (1, 10**9, 2**31 * 1_000, 1_704_067_200_000, 1_767_225_600_000, 253_402_300_799_999, 253_402_300_800_000)

Damage = Callable[[random.Random, bytes], bytes]


def storm(records: int, *, seed: int, victims: Sequence[Event], longest: int) -> Iterator[Event]:
    """So many events, most of them no orders; a mutated victim may still be one.

    `victims` are real events; `longest` is the length around which the long payloads lie, bytes.
    """
    chance = random.Random(seed)
    corpus = _generated(seed)
    whole = [victim for victim in victims if victim.value is not None]
    for number in range(records):
        victim = chance.choice(whole)
        payload: bytes | None = victim.value or b""
        if number % _ONE_IN_LONG == 0:
            payload = _long(chance, payload or b"", longest)
        elif chance.random() < 0.15:
            payload = chance.choice(corpus)
        else:
            for _ in range(chance.choice((1, 1, 1, 2, 3))):
                payload = chance.choice(DAMAGES)(chance, payload or b"")
        key = chance.choice((victim.key, None, b"", b"\xff\0"))
        yield Event(key, payload, chance.choice((victim.timestamp_ms, victim.timestamp_ms, *_TIMES_MS)))


def _generated(seed: int, count: int = 1_500) -> list[bytes | None]:
    """What hypothesis makes of the payloads."""
    found: list[bytes | None] = []

    @hypothesis_seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(PAYLOADS)
    def collect(payload: bytes | None) -> None:
        found.append(payload)

    collect()
    return found


def _place(chance: random.Random, payload: bytes) -> int:
    return chance.randint(0, len(payload))


def _flip_bits(chance: random.Random, payload: bytes) -> bytes:
    flipped = bytearray(payload)
    for _ in range(chance.randint(1, 8) if flipped else 0):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _truncate(chance: random.Random, payload: bytes) -> bytes:
    start, end = sorted((_place(chance, payload), _place(chance, payload)))
    return chance.choice((payload[:end], payload[start:], payload[start:end]))


def _insert(chance: random.Random, payload: bytes) -> bytes:
    place = _place(chance, payload)
    return payload[:place] + chance.choice((*_TEXTS, *_NUMBERS, chance.randbytes(3))) + payload[place:]


def _splice(chance: random.Random, payload: bytes) -> bytes:
    return payload[: _place(chance, payload)] + payload[_place(chance, payload) :]


def _replace(pattern: re.Pattern[bytes], by: Sequence[bytes]) -> Damage:
    def damage(chance: random.Random, payload: bytes) -> bytes:
        found = list(pattern.finditer(payload))
        if not found:
            return payload
        start, end = chance.choice(found).span()
        return payload[:start] + chance.choice(by) + payload[end:]

    return damage


def _double_a_key(chance: random.Random, payload: bytes) -> bytes:
    field = chance.choice(FIELDS).encode()
    value = chance.choice((b"1", b'"C1"', b"null", b'"2025-01-01T10:00:00Z"', *_NUMBERS))
    at = payload.find(b"{") + 1 if chance.random() < 0.5 else payload.rfind(b"}")
    comma_after = payload[at - 1 : at] == b"{"
    doubled = b'"%b":%b,' % (field, value) if comma_after else b',"%b":%b' % (field, value)
    return payload[:at] + doubled + payload[at:]


def _rename_a_field(chance: random.Random, payload: bytes) -> bytes:
    return payload.replace(chance.choice(FIELDS).encode(), chance.choice((b"", b"x", b"Order_Id", b"customer_id")), 1)


def _nest(chance: random.Random, payload: bytes) -> bytes:
    # Deep ones are long, and there are many records.
    depth = chance.choice((3, 50, 500)) if chance.random() < 0.999 else _DEEPEST
    inner = chance.choice((b"1", payload, b""))
    nested = chance.choice((b"[" * depth + inner + b"]" * depth, b'{"a":' * depth + inner + b"}" * depth))
    at = [match.span() for match in _NUMBER.finditer(payload)]
    if not at or chance.random() < 0.3:
        return nested
    start, end = chance.choice(at)
    return payload[:start] + nested + payload[end:]


def _recode(chance: random.Random, payload: bytes) -> bytes:
    text = payload.decode("utf-8", "replace")
    return chance.choice((b"\xef\xbb\xbf" + payload, text.encode("utf-16"), text.encode("utf-32-le"), payload * 2))


def _loosen(chance: random.Random, payload: bytes) -> bytes:
    """What some parsers take for JSON."""
    return chance.choice(
        (
            payload[:-1] + b",}",
            payload.replace(b'"', b"'"),
            b"/* order */" + payload,
            b" \t\r\n" + payload.replace(b",", b" ,\n "),
            payload + b"\n",
            payload + b"\0",
        )
    )


def _long(chance: random.Random, payload: bytes, longest: int) -> bytes:
    """The event with an unknown field so long that it has about the largest size, or is far above it."""
    size = chance.choice((longest - 1, longest, longest + 1, longest * 3 // 2))
    field = b',"note":""}'
    body = payload[:-1] + field
    return body[:-2] + b"x" * max(0, size - len(body)) + body[-2:]


DAMAGES: tuple[Damage, ...] = (
    _flip_bits,
    _truncate,
    _insert,
    _splice,
    _replace(_NUMBER, _NUMBERS),
    _replace(_TEXT, _TEXTS),
    _double_a_key,
    _rename_a_field,
    _nest,
    _recode,
    _loosen,
)
"""One kind of damage each."""

"""Redaction: client properties cut out of texts that librdkafka or a broker wrote.

Every property counts as a secret, whatever its name, unless its value is an ordinary word of Kafka's.
"""

import re
from collections.abc import Iterator, Mapping

_HIDDEN = "***"
# Shorter ones are no secrets, and hiding them would only tear texts apart.
_SHORTEST = 3
# No ordinary word is so long: a value of this length is found inside of words too, and when it was cut off.
_LONG = 16
_ORDINARY_NAMES = (".ms", "bytes", ".messages", "client.id")
_ORDINARY_VALUES = frozenset(
    {
        *("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
        *("gssapi", "oauthbearer", "plain", "scram-sha-256", "scram-sha-512"),
        *("false", "https", "none", "true"),
    }
)
_PASSWORD_IN_ADDRESS = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")


def without_secrets(properties: Mapping[str, str], text: str) -> str:
    """`text` on one line with `***` for the values of client properties, and for words of them.

    A short value is hidden where it stands as a word: to hide it inside of others would tell what it is.
    """
    line = " ".join(text.split())
    for secret in sorted(set(_secrets(properties)), key=len, reverse=True):
        line = re.sub(_pattern(secret), _HIDDEN, line)
    return line


def _secrets(properties: Mapping[str, str]) -> Iterator[str]:
    for name, value in properties.items():
        if value.lower() in _ORDINARY_VALUES or name.endswith(_ORDINARY_NAMES):
            continue
        # librdkafka also quotes parts: the line of a key, the rest of a list from where it is wrong.
        parts = [" ".join(value.split()), *re.split(r"[\s,;]+", value), *_PASSWORD_IN_ADDRESS.findall(value)]
        yield from (part for part in parts if len(part) >= _SHORTEST)


def _pattern(secret: str) -> str:
    if len(secret) >= _LONG:
        return rf"{re.escape(secret)}|{re.escape(secret[:_LONG])}\S*"
    start = r"(?<!\w)" if re.match(r"\w", secret) else ""
    end = r"(?!\w)" if re.search(r"\w\Z", secret) else ""
    return f"{start}{re.escape(secret)}{end}"

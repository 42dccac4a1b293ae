"""Masks: the shape of a value without its content, so that what is looked at can be shown to anybody."""

import unicodedata

_LONGEST = 32
_PUNCTUATION = frozenset(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def masked(value: object) -> str:
    """The value with `a` for each letter and `9` for each digit; true and false as they are."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return "".join(map(_mask, text[:_LONGEST])) + ("…" if len(text) > _LONGEST else "")


def _mask(character: str) -> str:
    if character in _PUNCTUATION:
        return character
    # Letters with their marks, digits, and no more: a symbol may say as much as a word.
    return {"L": "a", "M": "a", "N": "9"}.get(unicodedata.category(character)[0], "·")

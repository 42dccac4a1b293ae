"""A strict reader of Prometheus' text form: what it takes, every scraper takes."""

import re
from dataclasses import dataclass, field

_NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
_COMMENT = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.+)")
_SAMPLE = re.compile(rf'({_NAME})(\{{{_NAME}="[^"\\\n]*"\}})? (\S+)')


@dataclass
class Family:
    """One metric: its type, its help, its values by labels."""

    kind: str
    says: str
    values: dict[str, float] = field(default_factory=dict)


def parsed(text: str) -> dict[str, Family]:
    """The metrics by name. Each has its HELP, then its TYPE, then at least one value, no value twice."""
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    lines = iter(text.splitlines())
    current = ""
    for line in lines:
        if comment := _COMMENT.fullmatch(line):
            kind, current, says = comment.groups()
            assert (kind, current in families) == ("HELP", False), line
            following = _COMMENT.fullmatch(next(lines))
            assert following is not None, line
            assert following.group(1, 2) == ("TYPE", current), line
            assert following[3] in ("gauge", "counter"), line
            assert (following[3] == "counter") == current.endswith("_total"), line
            families[current] = Family(following[3], says)
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample is not None, line
        assert sample[1] == current, line
        labels = sample[2] or ""
        assert labels not in families[current].values, line
        families[current].values[labels] = float(sample[3])
    assert all(family.values and family.says.endswith(".") for family in families.values())
    return families

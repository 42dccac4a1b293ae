"""Number of examples of a property test: every one by default, a third under `--hypothesis-profile=third`.

A test states its full number, `@examples(30)`; the profile scales it, so that one option governs all of them.
"""

from hypothesis import settings

EVERY = "every"
THIRD = "third"

_SHARES = {EVERY: 100, THIRD: 33}


def register_profiles() -> None:
    """The two profiles, of which `EVERY` is in force until pytest is told otherwise. A profile's examples are a %."""
    for name, percent in _SHARES.items():
        # Machines differ: no example is too slow, the test's own time limit holds.
        settings.register_profile(name, deadline=None, max_examples=percent)
    settings.load_profile(EVERY)


def scaled(count: int) -> int:
    """This many examples under the profile in force, at least one."""
    return max(1, count * settings.get_profile(settings.get_current_profile_name()).max_examples // 100)


def examples(count: int) -> settings:
    """Settings of a property test that tries so many examples when it tries all."""
    return settings(max_examples=scaled(count))

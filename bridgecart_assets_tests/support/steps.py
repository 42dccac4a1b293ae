"""Stories: steps of one test, each of which needs what the one before it left behind."""

import inspect
from collections.abc import Callable
from typing import Any


def tell(*steps: Callable[..., None], **given: Any) -> None:
    """Take the steps in this order, each with those of `given` that it names; a failure says in which step it is."""
    for step in steps:
        sentence = step.__name__.replace("_", " ")
        print(f"step: {sentence}")  # noqa: T201
        try:
            step(**{name: given[name] for name in inspect.signature(step).parameters})
        except BaseException as error:
            error.add_note(f"in the step: {sentence}")
            raise

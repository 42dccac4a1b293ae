"""The child process of a side: calls its function, writes what it returned as the last line of its output.

Imports nothing but the standard library: any interpreter can run it, and what a side imports is the side's own.
"""

import importlib
import json
import sys
from collections.abc import Callable


def main() -> None:
    """`python -m benchmarks.child MODULE:FUNCTION ARGUMENTS`, the arguments as a JSON object."""
    name, arguments = sys.argv[1:]
    figures = function_of(name)(**json.loads(arguments))
    sys.stdout.write(f"\n{json.dumps(figures)}\n")


def function_of(name: str) -> Callable[..., object]:
    """The function that `MODULE:FUNCTION` names."""
    module, _, function = name.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(module), function)
    return found


if __name__ == "__main__":
    main()

"""One command, with everything it starts, for as long as this process's standard input stays open.

Started as a script by `supervisor`, with the standard library only, leading a session of its own. The other end of
standard input is held by the process that wants the command; when that process ends, in whatever way, the kernel
closes it and the command is killed, and then the rest of its process group: Dagster's processes do not all notice that
their parent is gone. On Linux the command also dies when this process does.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

_PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    """Run `command` until it ends, or is killed because standard input closed or SIGTERM came; its exit code."""
    # Ctrl-C goes to the whole group: the command decides what follows, and this process waits for it. A handler,
    # not SIG_IGN, which the command would inherit.
    signal.signal(signal.SIGINT, lambda _signal, _frame: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=dying_with(os.getpid()))
    is_to_end = threading.Event()

    def end() -> None:
        is_to_end.set()
        child.kill()

    def end_at_signal(_signal: int, _frame: FrameType | None) -> None:
        end()

    signal.signal(signal.SIGTERM, end_at_signal)
    threading.Thread(target=_at_end_of_input, args=(end,), daemon=True).start()
    code = child.wait()
    # After the command: whoever waits for this process then knows that the command, and its port, are gone.
    if is_to_end.is_set() and sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    return code


def _at_end_of_input(end: Callable[[], None]) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    end()


def dying_with(parent: int) -> Callable[[], None] | None:
    """Call by which a child of this parent asks to die with it; None where the kernel does not offer that."""
    if sys.platform != "linux":
        return None
    import ctypes

    # Loaded before the fork: the child may do no more than call it.
    libc = ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

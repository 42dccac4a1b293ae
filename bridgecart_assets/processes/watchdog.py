"""Runs one command for as long as this process's standard input stays open.

Started as a script by `embedded`, with the standard library only. The other end of standard input is held by the
process that wants the command; when that process ends, in whatever way, the kernel closes it and the command is
killed. On Linux the command also dies when this watchdog does.
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
    """Run `command` until it ends or standard input closes; return its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent())

    def kill(_signal: int, _frame: FrameType | None) -> None:
        child.kill()

    signal.signal(signal.SIGTERM, kill)
    threading.Thread(target=_kill_at_end_of_input, args=(child,), daemon=True).start()
    return child.wait()


def _kill_at_end_of_input(child: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    child.kill()


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    import ctypes

    # Loaded before the fork: the child may do no more than call it.
    libc = ctypes.CDLL(None)
    watchdog = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != watchdog:
            os._exit(1)

    return ask_kernel


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

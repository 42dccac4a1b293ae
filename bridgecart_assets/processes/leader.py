"""Runs one command, with everything it starts, for as long as this process's standard input stays open.

Started as a script by `children`, with the standard library only, leading a session of its own. The other end of
standard input is held by the process that wants the command; when that process ends, in whatever way, the kernel
closes it and the whole process group is killed: Dagster's processes do not all notice that their parent is gone.
"""

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Run `command` until it ends or standard input closes; return its exit code."""
    # Ctrl-C goes to the whole group: the command decides what follows, and this process waits for it. A handler,
    # not SIG_IGN, which the command would inherit.
    signal.signal(signal.SIGINT, lambda _signal, _frame: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_kill_group_at_end_of_input, daemon=True).start()
    return child.wait()


def _kill_group_at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

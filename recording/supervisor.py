"""Keep a recording under control when the `carla` package crashes or hangs, and when the user stops it.

The package's Traffic Manager calls the server from its own threads. If such a call meets a server that is gone or
hangs, the C++ runtime aborts the process: there is no exception and no cleanup. Its synchronous tick can miss the
signal between two of its threads, and then waits forever and ignores Ctrl-C. Therefore a recording runs in a child
process, and the parent reports how it ended.
"""

import contextlib
import ctypes
import math
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from segmentation.errors import UserError

PR_SET_PDEATHSIG = 1  # option of Linux's prctl


def continue_in_child() -> None:
    """Return in a child process only; the parent waits for the child and exits with its status.

    Raise `UserError` in the parent if the child crashed or was ended by `time_limit`. Do nothing where there is no fork
    (on Windows).
    """
    if not hasattr(os, "fork"):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child = os.fork()
    if not child:
        die_with_parent(parent)
        return

    def forward(number: int, _: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in _stop_signals():
        signal.signal(number, forward)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS):
        raise UserError(
            f"the simulator is gone or hangs, and the carla package crashed ({signal.Signals(-status).name}); "
            "everything recorded so far is complete: restart the simulator and repeat the command to continue"
        )
    if hasattr(signal, "SIGALRM") and status == -signal.SIGALRM:
        raise UserError(
            "a tick of the simulator never ended because the carla package hangs; everything recorded so far is "
            "complete: repeat the command to continue"
        )
    raise SystemExit(status if status >= 0 else 128 - status)


@contextlib.contextmanager
def graceful_shutdown() -> Iterator[None]:
    """Let the first Ctrl-C, SIGTERM or SIGHUP raise an exception and ignore later ones: nothing interrupts cleanup.

    Ctrl-C raises KeyboardInterrupt, SIGTERM and SIGHUP raise SystemExit with status 143 and 129. SIGHUP means that the
    terminal was closed; if it is ignored already, as after `nohup`, it stays so.
    """

    def stop(number: int, _: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        if number not in (signal.SIGINT, signal.SIGTERM):
            _leave_terminal()
        print("\nStopping ...", file=sys.stderr)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    signals = _stop_signals()
    for number in signals:
        signal.signal(number, stop)
    yield


def _stop_signals() -> list[signal.Signals]:
    """Return the signals that ask a recording to stop."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def _leave_terminal() -> None:
    """Redirect what would be printed on the terminal to /dev/null: on a closed one, every print raises OSError."""
    with Path(os.devnull).open("w") as nowhere:
        for descriptor in (1, 2):
            with contextlib.suppress(OSError):
                if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                    os.dup2(nowhere.fileno(), descriptor)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let the system end this process with SIGALRM after this time, even if C++ code holds the interpreter's lock."""
    if not hasattr(signal, "alarm"):
        yield
        return
    signal.alarm(math.ceil(seconds))
    try:
        yield
    finally:
        signal.alarm(0)


def die_with_parent(parent: int) -> None:
    """Let the system kill this process when `parent`, its parent's id, ends for any reason (on Linux).

    Not with a weaker signal: between fork and exec, the parent's handlers would catch it without any effect.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
        if os.getppid() != parent:  # it has ended already
            os.kill(os.getpid(), signal.SIGKILL)

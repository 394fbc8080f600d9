"""Record in a child process, because the `carla` package can end its own, or hang it.

Its Traffic Manager calls the server in threads of its own. When such a call meets a server that is gone or
hangs, the C++ runtime aborts the process: no exception, no tidying up. And its synchronous tick can miss the
signal between two of its threads, and then waits for ever, deaf to Ctrl-C. The parent lives to tell.
"""

import contextlib
import ctypes
import math
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from segmentation.errors import UserError

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl


def go_on_in_a_child() -> None:
    """Return in a child process; the parent never returns, but ends with the child's status.

    Raises `UserError` in the parent when the child was ended by a crash. Does nothing where there is no fork
    (on Windows).
    """
    if not hasattr(os, "fork"):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        die_with_parent(signal.SIGKILL)
        return

    def pass_on(number: int, _: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS):
        raise UserError(
            f"the simulator is gone or hangs, and the carla package crashed over it ({signal.Signals(-status).name}); "
            "what was recorded so far is whole: start the simulator again and repeat the command to go on"
        )
    if hasattr(signal, "SIGALRM") and status == -signal.SIGALRM:
        raise UserError(
            "a tick of the simulator never ended, the carla package hangs; what was recorded so far is whole: repeat "
            "the command to go on"
        )
    raise SystemExit(status if status >= 0 else 128 - status)


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Let the system end this process when what is done here takes longer, whoever holds the interpreter's lock."""
    if not hasattr(signal, "alarm"):
        yield
        return
    signal.alarm(math.ceil(seconds))
    try:
        yield
    finally:
        signal.alarm(0)


def die_with_parent(how: signal.Signals) -> None:
    """Let the system send this process a signal when its parent ends, however that ends (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, int(how))

"""Start the project's programs in separate processes, and wait for what they do."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(*command: object, stderr: int | None = None, **environment: str) -> subprocess.Popen:
    """Start Python with these arguments in the project's root; the standard output is a pipe."""
    return subprocess.Popen(
        [sys.executable, "-u", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )


def wait_until(
    condition: Callable[[], object],
    seconds: float = 10.0,
    process: subprocess.Popen | None = None,
    output: Callable[[], str] = str,
) -> None:
    """Wait for something that has to happen soon; fail, with the output, if `process` ends before."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, f"the process has ended\n{output()}"
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s\n{output()}"
        time.sleep(0.02)


def free_port() -> int:
    """Return a TCP port that no program listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_with(variable: str, value: str) -> list[int]:
    """Return the ids of the living processes that have this environment variable; empty where there is no /proc."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_alive_with(path, f"{variable}={value}")]


def _is_alive_with(process: Path, entry: str) -> bool:
    try:
        is_zombie = (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return not is_zombie and entry.encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False

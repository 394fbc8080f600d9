"""Run the embedded town as a process that ends with the recorder."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from recording.supervisor import die_with_parent
from segmentation.errors import UserError

PROJECT = Path(__file__).resolve().parents[1]
STOPPING_SECONDS = 10  # longest wait for the town to stop; after that it is killed


@contextmanager
def embedded_town(seed: int) -> Iterator[int]:
    """Start a town on a free port and yield the port; stop the town at the end, or when this process dies.

    Raise `UserError` if it does not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0", "--seed", str(seed)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is for the recorder, which needs the town until it has cleaned up
        preexec_fn=partial(die_with_parent, os.getpid()) if sys.platform == "linux" else None,
    )
    assert process.stdout is not None
    try:
        last_line = "it prints nothing"
        for line in process.stdout:
            if match := re.search(r":(\d+);", line):
                break
            last_line = line.strip() or last_line
        else:
            raise UserError(
                f"the embedded town does not start ({last_line}); reinstall requirements.txt, or start a CARLA server "
                "and give its address with --host and --port"
            )
        # Nothing else reads its output from now on, and a full pipe would block it.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield int(match[1])
    finally:
        process.terminate()
        try:
            process.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

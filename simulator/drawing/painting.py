"""Paint the textures in a separate process, while the caller builds the town: both hold the interpreter's lock.

    python -m simulator.drawing.painting SEED     writes the pickled textures to the standard output

That process ends with the one that started it, whatever ends that: it watches its standard input, a pipe that closes
with its other end.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.drawing.textures import Textures, paint_textures

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def painting(seed: int) -> Iterator[Callable[[], Textures]]:
    """Start to paint and yield a function that waits for the textures; at the end, stop the process.

    Not `multiprocessing`, whose workers and resource tracker can outlive a killed parent. The function raises
    RuntimeError if the process has failed.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "simulator.drawing.painting", str(seed)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the parent, which stops this process
    ) as process:
        assert process.stdout is not None
        output = process.stdout

        def wait() -> Textures:
            pickled = output.read()
            if status := process.wait():
                raise RuntimeError(f"painting the textures ended with status {status}")
            return pickle.loads(pickled)

        try:
            yield wait
        finally:
            process.kill()


def end_with_parent() -> None:
    """End this process as soon as its standard input closes."""

    def watch() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Paint for the parent process."""
    end_with_parent()
    pickle.dump(paint_textures(int(sys.argv[1])), sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    main()

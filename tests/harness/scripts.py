"""Run the numbered scripts as a user does, and read their output while they run."""

import subprocess
import threading
from collections.abc import Callable

from tests.harness.processes import start, wait_until

TINY_NETWORK = (
    "--groups", "1", "--layers-per-block", "1", "--growth-rate", "4", "--size", "48", "32", "--batch-size", "2",
    "--precision", "float32",  # the same on all machines
)  # fmt: skip


class Script:
    """A script that runs. `output` holds what it has printed so far, standard error included."""

    def __init__(self, name: str, *arguments: object, **environment: str) -> None:
        self.output = ""
        self.process = start(name, *arguments, stderr=subprocess.STDOUT, **environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.output += line

    def wait_until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait for something that the script has to do."""
        wait_until(condition, seconds, self.process, lambda: self.output)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for the end of the script, and return its exit status."""
        status = self.process.wait(seconds)
        self._reader.join(10)
        return status

    def kill(self) -> None:
        """Kill the script if it still runs."""
        self.process.kill()
        self.wait()

    def __enter__(self) -> "Script":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def run_script(name: str, *arguments: object, **environment: str) -> tuple[int, str]:
    """Run a script to its end; return its exit status and output."""
    with Script(name, *arguments, **environment) as script:
        return script.wait(300), script.output

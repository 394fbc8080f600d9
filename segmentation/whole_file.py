"""Files that are whole or not there at all, whatever stops the process or the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segmentation.errors import UserError


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and wait until a power cut cannot undo it. Raises OSError."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def whole_file(path: Path, cure: str = "free or change it") -> Iterator[Path]:
    """A temporary name beside `path`, with its suffix, for what takes its place when the block ends well.

    A killed process, or a power cut, leaves the old file or the new. Raises `UserError`, with the `cure`, when the
    place cannot be written to.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut can leave the new name without its content
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); {cure}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()

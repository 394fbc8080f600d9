"""Files that are whole or not there at all, whatever stops the process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segmentation.errors import UserError


@contextmanager
def whole_file(path: Path, cure: str = "free or change it") -> Iterator[Path]:
    """A temporary name beside `path`, with its suffix, for what takes its place when the block ends well.

    A killed process leaves the old file or the new. Raises `UserError`, with the `cure`, when the place cannot be
    written to.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); {cure}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()

"""Write files that are complete or not there at all, whatever stops the process or the machine."""

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path

from segmentation.errors import UserError


@contextmanager
def atomic_write(path: Path, advice: str = "free space, make it writable, or use another path") -> Iterator[Path]:
    """Yield a temporary path with the suffix of `path`; the file written there replaces `path` at the end.

    A killed process or a power cut leaves either the old file or the new one. Raise `UserError`, which ends with
    `advice`, if `path` cannot be written.
    """
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # otherwise a power cut can leave the new name without its content
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def atomic_write_together(files: Mapping[Path, bytes]) -> None:
    """Write all files, or none if one cannot be written; they appear in their order.

    A killed process can leave the first of them and temporary files. Raise OSError if there is no room.
    """
    temporaries = {path: temporary_path(path) for path in files}
    written: list[Path] = []
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporaries[path].open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in temporaries.items():
            temporary.rename(path)
            written.append(path)
    except OSError:
        remove_files([*temporaries.values(), *written])
        raise


def temporary_path(path: Path) -> Path:
    """Return a hidden name beside `path` that no other process takes and that is short, whatever `path` is called."""
    return path.with_name(f".{_digest(path)}-{secrets.token_hex(8)}.part{path.suffix}")


def remove_temporary_files(folder: Path) -> None:
    """Remove what killed processes left in `folder` and its subfolders.

    Nobody else may be writing there: see `segmentation.files.lock`.
    """
    patterns = (f"{parent}.*.part{suffix}" for parent in ("", "*/") for suffix in ("", ".*"))
    _remove_leftovers(chain.from_iterable(folder.glob(pattern) for pattern in patterns))


def remove_temporary_files_of(paths: Iterable[Path]) -> None:
    """Remove what killed processes left of writing exactly these files, which nobody else may be writing."""
    for path in paths:
        _remove_leftovers(path.parent.glob(f".{_digest(path)}-*.part*"))


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files; a file that does not exist is ignored."""
    for path in paths:
        path.unlink(missing_ok=True)


def _remove_leftovers(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # it may belong to another user, and does no harm
            path.unlink()


def _digest(path: Path) -> str:
    return sha256(os.fsencode(path.name)).hexdigest()[:16]

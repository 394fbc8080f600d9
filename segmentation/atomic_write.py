"""Write files that are complete or not there at all, whatever stops the process or the machine."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from segmentation.errors import UserError


@contextmanager
def atomic_write(path: Path, advice: str = "free or change it") -> Iterator[Path]:
    """Yield a temporary path with the suffix of `path`; the file written there replaces `path` at the end.

    A killed process or a power cut leaves either the old file or the new one. Raise `UserError`, which ends with
    `advice`, if `path` cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
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

    A killed process can leave the first of them and temporary files, which `remove_temporary_files` removes. Raise
    OSError if there is no room.
    """
    temporaries = {path: path.with_name(f".{path.name}.part") for path in files}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporaries[path].open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in temporaries.items():
            temporary.rename(path)
    except OSError:
        remove_files([*temporaries.values(), *files])
        raise


def remove_temporary_files(folder: Path) -> None:
    """Remove what `atomic_write_together` left in the subfolders of `folder` when its process was killed."""
    remove_files(folder.glob("*/.*.part"))


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files; a file that does not exist is ignored."""
    for path in paths:
        path.unlink(missing_ok=True)

"""Locks that end with the process that holds them, even if it is killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from segmentation.errors import UserError


@contextmanager
def exclusive(lock_file: Path, busy: str) -> Iterator[None]:
    """Hold a lock on `lock_file`, an empty file that may stay. Raise `UserError(busy)` if another process holds it.

    Its folder must exist. Where files cannot be locked, as on some network drives, say so and go on without.
    """
    # Not its other kind of lock, a mere file, which a killed process leaves behind.
    lock = filelock.FileLock(lock_file, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UserError(busy) from None
    except OSError as error:
        reason = error.strerror or error
        print(f"{lock_file}: cannot be locked ({reason}); make sure that no second process writes the same files")
    try:
        yield
    finally:
        lock.release()  # does nothing if the lock is not held

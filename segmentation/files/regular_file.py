"""Refuse what is no regular file before it is opened: reading a pipe could block forever."""

import stat
from pathlib import Path

from segmentation.errors import UserError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_regular_file(path: Path) -> None:
    """Raise `UserError` if the path is a pipe, device, socket or folder, and FileNotFoundError if nothing is there."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise
    except PermissionError:
        raise UserError(f"{path}: cannot be read (Permission denied); make it readable") from None
    except (OSError, ValueError) as error:  # a name that is too long, a circle of links, ...
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', error)}); use another path") from None
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise UserError(f"{path}: is {kind}, not a file; replace it by a file")

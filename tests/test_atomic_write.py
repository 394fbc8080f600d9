"""Files that are complete or not there, and what killed processes leave of them."""

import errno
import os
from pathlib import Path

import pytest

from segmentation.errors import UserError
from segmentation.files.atomic_write import (
    atomic_write,
    atomic_write_together,
    remove_temporary_files,
    remove_temporary_files_of,
)
from segmentation.files.lock import exclusive


class Killed(BaseException):
    pass


def kill(*_, **__):
    raise Killed


def write(path, content=b"new"):
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def hidden_files(folder):
    return [path for path in folder.rglob(".*") if path.is_file()]


def test_leftovers_of_killed_processes_are_removed(tmp_path, monkeypatch):
    single, pair = tmp_path / "a.png", {tmp_path / "rgb" / "b.png": b"new", tmp_path / "rgb" / "c.png": b"new"}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", kill)
        patch.setattr(Path, "unlink", kill)
        for action in (lambda: write(single), lambda: write(single), lambda: atomic_write_together(pair)):
            with pytest.raises(Killed):
                action()
    (tmp_path / "rgb" / ".rgb_run_000001.png.part").touch()  # as earlier versions named them
    (tmp_path / "rgb" / ".hidden.png").touch()
    assert len(hidden_files(tmp_path)) == 5
    remove_temporary_files_of([tmp_path / "b.png"])
    assert len(hidden_files(tmp_path)) == 5
    remove_temporary_files_of([single])
    assert len(hidden_files(tmp_path)) == 3
    remove_temporary_files(tmp_path)
    assert [path.name for path in hidden_files(tmp_path)] == [".hidden.png"]


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path):
    names = ["n" * 251, "n" * 250 + "m", "ü" * 125]
    for name in names:
        write(tmp_path / f"{name}.png")
    atomic_write_together({tmp_path / f"{name}.jpg": b"new" for name in names})
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"new"} and len(list(tmp_path.iterdir())) == 6
    with pytest.raises(UserError, match="too long"):
        write(tmp_path / ("n" * 252 + ".png"))


def test_failure_leaves_the_old_file(tmp_path, monkeypatch):
    def no_room(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write(tmp_path / "a.png", b"old")
    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(UserError, match=r"a\.png: cannot be written \(No space left on device\)"):
        write(tmp_path / "a.png")
    with pytest.raises(OSError):
        atomic_write_together({tmp_path / "b.png": b"new", tmp_path / "c.png": b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"] and (tmp_path / "a.png").read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="replaces the lock of other systems")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_work_goes_on_where_files_cannot_be_locked(tmp_path, monkeypatch, capsys, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", fail)
    with exclusive(tmp_path / ".lock", "busy"), exclusive(tmp_path / ".lock", "busy"):
        pass
    assert ".lock: cannot be locked (" in capsys.readouterr().out

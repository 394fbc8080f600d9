"""A script's constants are its command-line flags: `BATCH_SIZE = 4` is also `--batch-size 4`."""

import dataclasses
import math
import os
import signal
import sys
import tokenize
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro

from segmentation.errors import UserError


def run(main: Callable[[], None]) -> None:
    """Replace the constants of `main`'s module by the flags on the command line, then call `main()`.

    End the process with status 0, 1 (a `UserError`, printed as one sentence), 2 (invalid flags), 130 (Ctrl-C), or 128
    plus the number of SIGTERM or SIGHUP.
    """
    script = sys.modules[main.__module__]
    _end_with_cleanup("SIGTERM", "SIGHUP")
    try:
        vars(script).update(parse_flags(main))
        main()
    except UserError as error:
        sys.exit(f"{Path(str(script.__file__)).name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has closed it, so nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def script_constants(main: Callable[[], None]) -> dict[str, Any]:
    """Return the constants of `main`'s module by name: names in capitals, assigned at the top level."""
    script = sys.modules[main.__module__]
    return {name: getattr(script, name) for name in _read_comments(script)}


def parse_flags(main: Callable[[], None]) -> dict[str, Any]:
    """Return the constants of `main`'s module, changed by the flags on the command line.

    The type of a flag is the annotation of its constant or, without one, the type of its value. Its help is the
    trailing comment, with the indented comment lines below it.
    """
    script = sys.modules[main.__module__]
    help_texts = _read_comments(script)
    annotations = getattr(script, "__annotations__", {})
    fields = [
        (
            name.lower(),
            Annotated[annotations.get(name) or _infer_type(value), tyro.conf.arg(help=help_texts[name])],
            dataclasses.field(default=value),
        )
        for name, value in script_constants(main).items()
    ]
    flags: Any = tyro.cli(dataclasses.make_dataclass("Flags", fields), description=script.__doc__)
    _require_finite(vars(flags))
    return {name.upper(): value for name, value in vars(flags).items()}


def require_at_least(minimum: float, **constants: float | tuple[float, ...] | None) -> None:
    """Raise `UserError` for a constant, or an element of a tuple, below `minimum` or NaN; None is allowed."""
    for name, value in constants.items():
        if value is not None and not all(item >= minimum for item in _items(value)):
            raise UserError(f"--{name.replace('_', '-')} is {value}; use {minimum} or more")


def _require_finite(constants: dict[str, Any]) -> None:
    """Raise `UserError` for a constant, or an element of a tuple, that is NaN or infinite."""
    for name, value in constants.items():
        if not all(math.isfinite(item) for item in _items(value) if isinstance(item, float)):
            raise UserError(f"--{name.replace('_', '-')} is {value}; use finite numbers")


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _end_with_cleanup(*signals: str) -> None:
    """Let these signals raise SystemExit, so that temporary files are removed, unless they are handled or ignored."""

    def end(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    for name in signals:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _infer_type(value: Any) -> Any:
    if isinstance(value, tuple):
        return types.GenericAlias(tuple, tuple(type(item) for item in value))
    return Path if isinstance(value, Path) else type(value)


def _read_comments(script: types.ModuleType) -> dict[str, str]:
    """Return the comment of every top-level `NAME = value  # comment`, with its indented continuation lines."""
    comments: dict[str, str] = {}
    name = ""
    with tokenize.open(str(script.__file__)) as file:
        for token in tokenize.generate_tokens(file.readline):
            column = token.start[1]
            if token.type == tokenize.NAME and column == 0:
                name = token.string if token.string.isupper() else ""
                if name:
                    comments[name] = ""
            elif token.type == tokenize.COMMENT:
                if column == 0:
                    name = ""
                elif name:
                    comments[name] = f"{comments[name]} {token.string.lstrip('# ')}".strip()
    return comments

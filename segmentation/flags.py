"""A script's constants are its command-line flags: `BATCH_SIZE = 4` is also `--batch-size 4`."""

import dataclasses
import os
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import tyro

from segmentation.errors import UserError


def run(main: Callable[[Any], None]) -> None:
    """Call `main(settings)`; the settings are its module's constants, changed by the flags given.

    Ends the process with status 0, 1 (a `UserError`, told in one sentence), 2 (wrong flags) or
    130 (Ctrl-C).
    """
    script = sys.modules[main.__module__]
    try:
        main(parse(script))
    except UserError as error:
        sys.exit(f"{Path(str(script.__file__)).name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has left; nothing more can be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parse(script: ModuleType) -> Any:
    """The script's constants as a frozen object with lower-case names, changed by the flags on the command line.

    A constant is a name in capitals assigned at the module's top level. Its type is its annotation or,
    without one, the type of its value; its help is the comment behind it, with the indented comment lines that
    follow.
    """
    help_texts = _comments(Path(str(script.__file__)))
    annotations = getattr(script, "__annotations__", {})
    fields = [
        (
            name.lower(),
            Annotated[annotations.get(name) or _type_of(value), tyro.conf.arg(help=help_texts[name])],
            dataclasses.field(default=value),
        )
        for name, value in vars(script).items()
        if name.isupper() and name in help_texts
    ]
    settings = dataclasses.make_dataclass("Settings", fields, frozen=True)
    return tyro.cli(settings, description=script.__doc__)


def require_at_least(least: float, settings: Any, *names: str) -> None:
    """Raise a `UserError` for a setting in `names`, or a part of one, that is less than `least`; `None` may be."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and min(value if isinstance(value, tuple) else (value,)) < least:
            raise UserError(f"--{name.replace('_', '-')} is {value}; use {least} or more")


def _type_of(value: Any) -> Any:
    if isinstance(value, Path):
        return Path
    return tuple[tuple(type(item) for item in value)] if isinstance(value, tuple) else type(value)


def _comments(path: Path) -> dict[str, str]:
    """The comment of every top-level `NAME = value  # comment`, with its indented continuation lines."""
    texts: dict[str, str] = {}
    name = ""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            column = token.start[1]
            if token.type == tokenize.NAME and column == 0:
                name = token.string if token.string.isupper() else ""
                if name:
                    texts[name] = ""
            elif token.type == tokenize.COMMENT:
                if column == 0:
                    name = ""
                elif name:
                    texts[name] = f"{texts[name]} {token.string.lstrip('# ')}".strip()
    return texts

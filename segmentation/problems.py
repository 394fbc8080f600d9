"""Lists of problems that stay readable: ten thousand files with one fault are one line."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from segmentation.errors import UserError

LISTED = 10  # problems of one kind that are printed one by one, and names or ids that one line lists
NAMED = 3  # files that a line names if it stands for many


@contextmanager
def collect(problems: list[str], kind: type[UserError] = UserError) -> Iterator[None]:
    """Add an error of a kind to the problems instead of raising it, so that the work goes on with the next file."""
    try:
        yield
    except kind as error:
        problems.append(str(error))


def shorten(problems: Sequence[str]) -> list[str]:
    """Return the problems, in which one line with a count replaces more than `LISTED` of one kind.

    A problem is "FILE: sentence". Those whose sentences differ only in names and numbers are of one kind; they keep the
    place of the first.
    """
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        kinds.setdefault(_kind(problem), []).append(problem)
    lines: list[str] = []
    for alike in kinds.values():
        lines += alike if len(alike) <= LISTED else [_merge(alike)]
    return lines


def printable(text: str, keep: str = "\n") -> str:
    """Return a text in which characters that do not print are escaped, but not those of `keep`.

    A file name can hold bytes that are no text, and characters that change the terminal.
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def list_some(items: Iterable[object], limit: int = LISTED) -> str:
    """Return the first items, separated by commas, and how many more there are."""
    texts = [str(item) for item in items]
    rest = f" and {len(texts) - limit:,} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + rest


def _merge(problems: Sequence[str]) -> str:
    others = [re.split(r"[/\\]", problem.split(": ")[0])[-1] for problem in problems[1:]]
    return f"{problems[0]} ({len(others):,} more like it: {list_some(others, NAMED)})"


def _kind(problem: str) -> str:
    """Return the sentence with a mark for each word that may be a name or a number."""
    _, _, sentence = problem.partition(": ")
    return re.sub(r"(\S*[\d./\\_]\S*\s*)+", "# ", sentence or problem)

"""Where words go: data to stdout, everything else to stderr; and how errors end a command."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from typer import Exit

from seewhy.errors import SeewhyError

OK, USAGE, SOME_FAILED, INTERRUPTED = 0, 2, 3, 130


@dataclass
class Settings:
    """What holds for every command: whether a traceback is wanted."""

    debug: bool = False


settings = Settings()


def out() -> Console:
    """Return the console for data; where nobody watches, lines are wide, as another program may read them."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def err() -> Console:
    """Return the console for progress and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line for people to stderr; the text is taken as it is, without markup."""
    err().print(text, markup=False)


def complain(error: BaseException, about: str = "") -> None:
    """Print one line about an error to stderr."""
    text = " ".join(str(error).split()) if isinstance(error, SeewhyError) else _foreign(error)
    say(f"error: {about + ': ' if about and about not in text else ''}{text}")


def _foreign(error: BaseException) -> str:
    """Describe an error that is not seewhy's own."""
    if isinstance(error, OSError):
        reason = {errno.ENOSPC: "the disk is full", errno.EACCES: "no permission"}.get(
            error.errno or 0, error.strerror or str(error)
        )
        return f"{reason}{': ' + str(error.filename) if error.filename else ''}"
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller picture"
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first} (unexpected; run again with --debug and report it)"


@contextmanager
def usage() -> Iterator[None]:
    """End the command with exit code 2 where something that all inputs share is wrong: model, method, target, folder."""
    try:
        yield
    except (SeewhyError, OSError) as error:
        if settings.debug:
            raise
        complain(error)
        raise Exit(USAGE) from None


def interrupted(done: int, total: int) -> Exit:
    """Say how far a command came before Ctrl-C, and return what ends it."""
    say(f"interrupted: {done} of {total} done")
    return Exit(INTERRUPTED)


def is_terminal() -> bool:
    """Say whether a person watches stderr."""
    return sys.stderr.isatty()

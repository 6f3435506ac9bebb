"""Photo after photo, good ones done even where others fail."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer import Exit

from seewhy.cli import console
from seewhy.cli.outputs import stems
from seewhy.cli.progress import Watch, watched
from seewhy.data.picture import expand

Show = Callable[[Path, str], dict[str, Any]]
"""Does one photo, given the name of its files without their endings; returns its numbers."""


def photo_by_photo(
    given: list[Path],
    settle: Callable[[Watch], Show],
    *,
    as_json: bool,
    sources: Callable[[list[Path]], list[Path]] = expand,
) -> None:
    """Do every photo; end with exit code 3 where some failed.

    Args:
        given: photos, and folders of them.
        settle: settles what all photos share, so that a mistake in it costs no work.
        as_json: print the numbers of all photos.
        sources: makes of what was given what is done one by one, once all is settled.
    """
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with watched() as watch:
        with console.usage():
            show = settle(watch)
            photos = sources(given)
        watch.begin(len(photos))
        for photo, stem in zip(photos, stems(photos), strict=True):
            try:
                done.append(show(photo, stem))
            except KeyboardInterrupt:
                raise console.interrupted(len(done), len(photos)) from None
            except Exception as error:  # whatever is wrong with one photo, the others are still done
                if console.settings.debug:
                    raise
                console.complain(error, str(photo))
                failed.append({"photo": str(photo), "error": str(error)})
            watch.advance()
    if as_json:
        sys.stdout.write(json.dumps({"photos": done, "failed": failed}, indent=2) + "\n")
    if failed:
        console.say(f"{len(failed)} of {len(photos)} failed")
        raise Exit(console.SOME_FAILED)

"""The command line, run in this process."""

import sys

from seewhy.cli import main


def command(capsys, *arguments: object) -> tuple[int, str, str]:
    """Run `seewhy` with arguments; return exit code, stdout and stderr."""
    before = sys.argv
    sys.argv = ["seewhy", *map(str, arguments)]
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    told = capsys.readouterr()
    return code, told.out, told.err

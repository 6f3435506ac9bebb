"""The command line: `seewhy explain photo.jpg`. Everything heavy is imported inside the commands."""

from seewhy.cli.app import app, main

__all__ = ["app", "main"]

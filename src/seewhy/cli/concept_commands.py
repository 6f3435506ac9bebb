"""The commands about concepts, and their options; what they do stands in the modules beside this one."""

from collections.abc import Callable

COMMANDS: tuple[Callable[..., None], ...] = ()
"""In the order in which `seewhy --help` lists them."""

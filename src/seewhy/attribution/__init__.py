"""Heatmaps: where the evidence lies. One file per method; importing the package enters them all in the registry."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

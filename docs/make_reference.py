"""Write docs/reference/methods.md from the registry: `python docs/make_reference.py`."""

from dataclasses import fields
from pathlib import Path

import seewhy

PATH = Path(__file__).parent / "reference" / "methods.md"
FAMILIES = {"cam": "The CAM family", "gradient": "The gradient family", "control": "Controls"}


def reference() -> str:
    """Return the reference of all methods as Markdown."""
    methods = seewhy.methods()
    lines = ["# Methods", "", "Made from the registry by `python docs/make_reference.py`; do not edit.", ""]
    lines += ["| key | signed | grid of the | adds up | cost |", "|---|---|---|---|---|"]
    for key in sorted(methods):
        found = methods[key]
        cost = found().cost() or "depends on the image"
        lines.append(
            f"| [{key}](#{key}) | {_word(found.signed)} | {found.resolution} | {_word(found.complete)} | {cost} |"
        )
    for family, title in FAMILIES.items():
        lines += ["", f"## {title}"]
        for key in sorted(methods):
            if methods[key].family == family:
                lines += _section(key, methods[key])
    return "\n".join(lines) + "\n"


def _section(key: str, method: type[seewhy.Method]) -> list[str]:
    settings = [f"`{field.name}={field.default!r}`" for field in fields(method)]  # type: ignore[arg-type]
    text = [line.removeprefix("    ") for line in (method.__doc__ or "").strip().splitlines()]
    return [
        "",
        f"### {key}",
        "",
        f"{method.title}. Settings: {', '.join(settings) or 'none'}.",
        "",
        "```text",
        *text,
        "```",
    ]


def _word(fact: bool) -> str:
    return "yes" if fact else "no"


if __name__ == "__main__":
    PATH.write_text(reference(), encoding="utf-8")

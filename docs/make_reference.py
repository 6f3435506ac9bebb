"""Write docs/reference/methods.md from the registry: `python docs/make_reference.py`."""

import re
from dataclasses import fields
from inspect import cleandoc
from pathlib import Path

import seewhy

PATH = Path(__file__).parent / "reference" / "methods.md"
FAMILIES = {
    "cam": "The CAM family",
    "gradient": "The gradient family",
    "perturbation": "The perturbation family",
    "propagation": "The propagation family",
    "attention": "The attention family",
    "control": "Controls",
}


def reference() -> str:
    """Return the reference of all methods as Markdown."""
    methods = seewhy.methods()
    lines = ["# Methods", "", "Made from the registry by `python docs/make_reference.py`; do not edit.", ""]
    lines += ["| key | asks for | signed | grid of the | adds up | cost |", "|---|---|---|---|---|---|"]
    for key in sorted(methods):
        found = methods[key]
        cost = found().cost() or "depends on network or image"
        lines.append(
            f"| [{key}](#{key}) | {found.access} | {_word(found.signed)} | {found.resolution} | {_word(found.complete)} | {cost} |"
        )
    for family, title in FAMILIES.items():
        lines += ["", f"## {title}"]
        for key in sorted(methods):
            if methods[key].family == family:
                lines += _section(key, methods[key])
    return "\n".join(lines) + "\n"


def _section(key: str, method: type[seewhy.Method]) -> list[str]:
    settings = [f"`{field.name}={field.default!r}`" for field in fields(method)]  # type: ignore[arg-type]
    about = [
        f"**{method.title}**, {method.source}.",
        f"Good at: {method.merit}. Misleads: {method.caution}.",
        f"Settings: {', '.join(settings) or 'none'}. Values in {method.map_unit.format(unit='units of the score')}.",
    ]
    return ["", f"### {key}", "", " ".join(about), *_markdown(cleandoc(method.__doc__ or ""))]


def _markdown(text: str) -> list[str]:
    """Return a docstring as Markdown: paragraphs, a formula as code, arguments as a list, other sections with their name in bold."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        head, _, body = paragraph.partition("\n")
        if head in ("Args:", "Raises:", "Example:"):
            lines += (
                ["", f"*{head}*", "", *_items(body)]
                if head != "Example:"
                else ["", "```python", *cleandoc(body).splitlines(), "```"]
            )
        else:
            lines += ["", *(_paragraph(part) for part in re.split(r"\n(?=[A-Z][a-z]+: )", paragraph))]
    return lines


def _items(body: str) -> list[str]:
    """Return indented "name: what it is" entries as a list; deeper lines go on with the entry before."""
    return [
        f"- `{name}`:{about}"
        for name, _, about in (" ".join(item.split()).partition(":") for item in re.split(r"\n(?! )", cleandoc(body)))
    ]


def _paragraph(text: str) -> str:
    """Return one paragraph in one line; "Returns:" and the like become bold, a formula ("map = ...") code."""
    line = " ".join(text.split())
    line = re.sub(r"^(Returns|Limits|Source|Raises): ?", r"**\1.** ", line)
    return re.sub(r"^(map = [^,.]+(?:\.[^ ][^,.]*)*)", r"`\1`", line) + "  "


def _word(fact: bool) -> str:
    return "yes" if fact else "no"


if __name__ == "__main__":
    PATH.write_text(reference(), encoding="utf-8")

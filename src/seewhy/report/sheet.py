"""What all pages share: templates that escape, the style of the house, numbers that travel inside."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateNotFound
from markupsafe import Markup

from seewhy.render.bar import figures, percent
from seewhy.report.words import probability


def sheet(
    template: str,
    *,
    title: str,
    content: Mapping[str, Any],
    numbers: Any,
    subtitles: Sequence[str] = (),
    cautions: Sequence[str] = (),
    creed: Sequence[str] = (),
    command: str = "",
    provenance: Mapping[str, Any] | None = None,
    base: str = "",
    style: str = "",
) -> str:
    """Return a page as one HTML file that opens from disk and asks nothing of any network.

    Args:
        template: `NAME.html.jinja` extends `sheet.html.jinja` and fills its block `content`; `NAME.css` and `NAME.js` go with it where
            they are there.
        title: heading and title; escaped, as all text is.
        content: what the template uses, by name.
        numbers: what the page shows, as plain values; it travels inside as JSON.
        subtitles, cautions, creed: lines under the heading, in a box before everything else, and at the foot.
        command: makes the page again.
        provenance: what made it, nested; shown as lines.
        base: a template that this one extends, whose style and script it takes over before its own.
        style: a page whose style, without its script, comes before this one's own.
    """
    return rendered(
        template,
        {
            "title": title,
            "subtitles": subtitles,
            "cautions": cautions,
            "creed": creed,
            "command": command,
            "provenance": facts(provenance or {}),
            "data": embedded(numbers),
            **looks(template, base, style),
            **content,
        },
    )


def rendered(template: str, content: Mapping[str, Any]) -> str:
    """Return a filled template."""
    return _environment().get_template(f"{template}.html.jinja").render(content)


def looks(template: str, base: str = "", style: str = "") -> dict[str, Any]:
    """Return style and script of a page, and what its security policy says of the script; see `sheet`."""
    names = [name for name in (base, template) if name]
    script = "\n".join(filter(None, (_source(f"{name}.js") for name in names)))
    styles = "\n".join(_source(f"{name}.css") for name in ("house", style, *names) if name)
    return {
        "style": Markup(styles),  # noqa: S704 - files of this package
        "script": Markup(script),  # noqa: S704 - a file of this package
        "script_source": Markup(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"),  # noqa: S704 - a hash
    }


def embedded(numbers: Any) -> Markup:
    """Return numbers as JSON that cannot end the element it stands in."""
    text = json.dumps(numbers, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def facts(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Return nested facts as lines of (name, value), with dots between the levels."""
    if isinstance(value, Mapping) and value:
        return [line for key, inner in value.items() for line in facts(inner, f"{name}.{key}" if name else key)]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [(name, text)] if name else []


def kept(text: str) -> str:
    """Return the text with its percent signs kept on the line of their number."""
    return text.replace(" %", "\u00a0%")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("seewhy.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"percent": lambda share: kept(percent(share)), "figures": figures, "probability": probability}
    return made


@cache
def _source(name: str) -> str:
    """Return a file of the templates; empty where a page has no such file of its own."""
    loader = _environment().loader
    if loader is None:
        raise RuntimeError("the environment of the pages has no loader")
    try:
        return loader.get_source(_environment(), name)[0].strip()
    except TemplateNotFound:
        return ""

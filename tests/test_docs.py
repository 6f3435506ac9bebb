"""What the docs say is so: the reference is the registry's, links lead somewhere, the README's Python runs."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]


def test_the_reference_is_made_from_the_registry():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PATH.read_text(encoding="utf-8") == module.reference(), "run python docs/make_reference.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not link.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / link).exists(), link


def test_the_python_of_the_readme_runs(monkeypatch, tmp_path, capsys):
    block = re.search(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    exec(compile(block.group(1), "README.md", "exec"), {})  # noqa: S102 (it is our own)
    assert (tmp_path / "why.png").stat().st_size > 10_000
    assert "tiger cat" in capsys.readouterr().out


def test_each_script_of_the_examples_runs(monkeypatch, tmp_path, capsys):
    scripts = sorted((ROOT / "examples").glob("*.py"))
    assert scripts
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for script in scripts:
        exec(compile(script.read_text(encoding="utf-8"), script.name, "exec"), {"__name__": "__main__"})  # noqa: S102
    assert "wrote" in capsys.readouterr().out

"""Imports go down: never up, never sideways, never in a ring; also those inside functions and for type checkers only."""

import ast
from pathlib import Path

import seewhy

ROOT = Path(seewhy.__file__).parent
RANKS = {
    "version": 0,
    "errors": 0,
    "ops": 1,
    "render": 2,
    "core": 3,
    "engine": 4,
    "rules": 4,
    "targets": 5,
    "adapters": 5,
    "data": 5,
    "attribution": 6,
    "contributions": 6,
    "visualization": 6,
    "evaluation": 7,
    "choice": 7,
    "concepts": 7,
    "surrogates": 8,
    "report": 9,
    "api": 10,
    "cli": 11,
}
DOORS = {"__init__"}
"""The package's own front door hands out names of every rank, lazily; nothing inside may import it."""


def imports(path: Path) -> set[str]:
    """Return the modules of seewhy that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.partition(".")[0] == "seewhy"}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module and node.module.partition(".")[0] == "seewhy":
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def place(module: str) -> str:
    """Return the room of the house that a dotted name is in; the house itself for names that it hands out."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RANKS else "__init__"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in ROOT.rglob("*.py")}


def test_every_room_has_a_rank():
    rooms = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in FILES.values()} - DOORS
    assert rooms == set(RANKS)


def test_no_import_goes_up_or_sideways():
    wrong = []
    for name, path in FILES.items():
        here = place(name)
        if here in DOORS:
            continue
        for imported in imports(path):
            there = place(imported)
            if there in DOORS or (there != here and RANKS[there] >= RANKS[here]):
                wrong.append(f"{name} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_no_ring():
    edges = {
        name: {target for imported in imports(path) if (target := resolve(imported)) not in (None, name, "seewhy")}
        for name, path in FILES.items()
        if name != "seewhy"
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, "ring: " + " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted(edges.get(name, ())):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())


def resolve(imported: str) -> str | None:
    """Return the module that defines an imported name: itself, or its parent."""
    if imported in FILES:
        return imported
    parent = imported.rpartition(".")[0]
    return parent if parent in FILES else None


def test_an_upward_import_would_be_seen(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("def f():\n    from seewhy.cli import main\n    import seewhy.api\n")
    assert imports(path) == {"seewhy.cli.main", "seewhy.api"}
    assert place("seewhy.cli.main") == "cli"

"""`python -m benchmarks`: measure, and print the tables."""

import argparse
import json
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

import torch

import seewhy
from benchmarks import (
    channels,
    climbing,
    clips,
    distilling,
    frames,
    memory,
    natural,
    recurrent,
    rows,
    starts,
    table,
    windows,
)

EXTRA = (
    "windows",
    "ascent",
    "pictures",
    "examples",
    "channels",
    "frames",
    "distilling",
    "clips",
    "recurrent",
    "memory",
    "starts",
)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [row.name for row in rows.ROWS]
    parser.add_argument(
        "--rows", nargs="+", metavar="NAME", choices=[*names, *EXTRA], help=f"of: {', '.join([*names, *EXTRA])}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    parser.add_argument("--seconds", type=float, default=6.0, help="processor time per library and row")
    parser.add_argument("--starts", type=int, default=5, help="how many times each process is started")
    return parser.parse_args()


def main() -> None:
    asked = options()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    results = [result for row in _wanted(asked.rows) if (result := _told(row, asked.seconds))]
    local = [windows.measured(name) for name in windows.BARS] if _includes(asked.rows, "windows") else []
    climbs = (
        [climbing.measured(name, asked.seconds) for name in climbing.UNITS] if _includes(asked.rows, "ascent") else []
    )
    made = climbing.pictures() if _includes(asked.rows, "pictures") else []
    searched = (
        [natural.measured(name, asked.seconds) for name in natural.LAYERS] if _includes(asked.rows, "examples") else []
    )
    silenced = [channels.measured(name) for name in channels.LAYERS] if _includes(asked.rows, "channels") else []
    deleted = [frames.measured(name) for name in frames.NETWORKS] if _includes(asked.rows, "frames") else []
    taught = [distilling.measured(kind) for kind in distilling.kinds()] if _includes(asked.rows, "distilling") else []
    moved = clips.measured() if _includes(asked.rows, "clips") else []
    looped = (
        [recurrent.measured(name, asked.seconds) for name in recurrent.NETWORKS]
        if _includes(asked.rows, "recurrent")
        else []
    )
    grown = memory.measured() if _includes(asked.rows, "memory") else {}
    begun = starts.measured(asked.starts) if _includes(asked.rows, "starts") else []
    tables = [
        table.passes_table(results) if results else "",
        table.parity_table(results) if results else "",
        windows.table(local) if local else "",
        climbing.table(climbs) if climbs else "",
        climbing.pictures_table(made) if made else "",
        natural.table(searched) if searched else "",
        channels.table(silenced) if silenced else "",
        frames.table(deleted) if deleted else "",
        distilling.table(taught) if taught else "",
        recurrent.table(looped) if looped else "",
        clips.table(moved) if moved else "",
        table.memory_table(grown, memory.COUNTS) if grown else "",
        table.starts_table(begun) if begun else "",
    ]
    print("\n\n".join(filter(None, tables)))
    if asked.json:
        whole = {
            "passes": [asdict(result) for result in results],
            "windows": [asdict(one) for one in local],
            "ascent": [asdict(one) for one in climbs],
            "pictures": [asdict(one) for one in made],
            "examples": [asdict(one) for one in searched],
            "channels": [asdict(one) for one in silenced],
            "frames": [asdict(one) for one in deleted],
            "distilling": [asdict(one) for one in taught],
            "clips": [asdict(one) for one in moved],
            "recurrent": [asdict(one) for one in looped],
            "memory": grown,
            "starts": [asdict(s) for s in begun],
        }
        asked.json.write_text(json.dumps(whole, indent=2, default=str))


def _includes(names: list[str] | None, name: str) -> bool:
    return names is None or name in names


def _wanted(names: list[str] | None) -> list[rows.Row]:
    """Return the rows that are asked for and whose methods exist."""
    wanted = [row for row in rows.ROWS if _includes(names, row.name)]
    known = seewhy.methods()
    for row in wanted:
        if lacking := [key for key in row.methods if key not in known]:
            print(f"{row.name}: left out, there is no {', '.join(lacking)}", file=sys.stderr)
    return [row for row in wanted if all(key in known for key in row.methods)]


def _told(row: rows.Row, seconds: float) -> rows.Result:
    print(f"{row.name} ...", file=sys.stderr, flush=True)
    return rows.measured(row, seconds)


if __name__ == "__main__":
    main()

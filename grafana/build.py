"""Write the dashboards, or with --check report which are stale: `python -m grafana.build`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from grafana.boards import BOARDS
from grafana.words import Json

FOLDER = Path(__file__).parent / "dashboards"


def built() -> Mapping[str, str]:
    """Return the text of every dashboard by the name of its file."""
    found: dict[str, str] = {}
    for module in BOARDS:
        board: Json = module.board()
        text = json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        found[f"{board['uid']}.json"] = text
    return found


def stale(folder: Path) -> Iterator[str]:
    """Yield the names of files that are not what would be written, or should not be there."""
    wanted = built()
    there = {path.name: path.read_text() for path in folder.glob("*.json")}
    yield from sorted(n for n in wanted.keys() | there.keys() if wanted.get(n) != there.get(n))


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; return the status to exit with."""
    parser = argparse.ArgumentParser(prog="python -m grafana.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    if parser.parse_args(arguments).check:
        names = list(stale(FOLDER))
        for name in names:
            print(f"{name} is stale: run python -m grafana.build", file=sys.stderr)
        return 1 if names else 0
    for name, text in built().items():
        (FOLDER / name).write_text(text)
    for name in stale(FOLDER):
        (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())

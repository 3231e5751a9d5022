"""`python -m tests.instructions`: count, and compare with the reference or renew it."""

from __future__ import annotations

import argparse
import sys

from tests.instructions.counting import MOST, commit, committed, counted


def main() -> int:
    """Return 1 if a probe, or a check of a model, costs more than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.instructions")
    parser.add_argument("--renew", action="store_true", help="write the reference")
    arguments = parser.parse_args()
    counts = counted()
    print(f"a probe                {counts.probe:9,.0f} instructions, over plain HTTP")
    print(f"libcurl's share of it  {counts.request:9,.0f}")
    print(f"a check of a model     {counts.check:9,.0f}, beside its stream")
    print(f"a round of Python      {counts.plain:9,.0f}")
    if arguments.renew:
        commit(counts)
        return 0
    reference = committed()
    changes = counts.change_since(reference), counts.check_change_since(reference)
    print("since the reference    {:+9.1%} a probe, {:+.1%} a check".format(*changes))
    return 1 if max(changes) > MOST else 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.instructions`: count, and compare with the reference or renew it."""

from __future__ import annotations

import argparse
import sys

from tests.instructions.counting import MOST, commit, committed, counted


def main() -> int:
    """Return 1 if a probe costs more than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.instructions")
    parser.add_argument("--renew", action="store_true", help="write the reference")
    arguments = parser.parse_args()
    counts = counted()
    print(f"a probe                {counts.probe:9,.0f} instructions, over plain HTTP")
    print(f"libcurl's share of it  {counts.request:9,.0f}")
    print(f"a round of Python      {counts.plain:9,.0f}")
    if arguments.renew:
        commit(counts)
        return 0
    change = counts.change_since(committed())
    print(f"since the reference    {change:+9.1%}")
    return 1 if change > MOST else 0


if __name__ == "__main__":
    sys.exit(main())

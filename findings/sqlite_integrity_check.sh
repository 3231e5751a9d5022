#!/usr/bin/env bash
# Software: apsw 3.54.1.0 (PyPI, its wheel with SQLite 3.54.1), and Python 3.
#
# Guess: `PRAGMA integrity_check` finds a flipped bit anywhere in the file, as checking a checksum
#   would. A database for which it answers "ok" holds what was written to it.
# What happens: it checks the structure (pages, b-trees, that every row is in its indexes) and no
#   contents, for there are no checksums. A changed letter in a stored text, or a changed digit in
#   a number, is read back as if it had been written so, and the answer is "ok". Only a column
#   that is also in an index gives itself away, since then two copies differ; `quick_check` leaves
#   out that comparison, too.
# Consequence: to start from a file that "passed the check" is to start from whatever the disk
#   returned. Whoever must know keeps a checksum in each row, or opens the database from the
#   beginning with SQLite's checksum extension.
#
# Seen on 2026-11-28 (one bit of the text flipped in the file):
#   column without an index    integrity_check: ok           quick_check: ok   read: "sesolved"
#   column with an index       integrity_check: told         quick_check: ok   read: "sesolved"
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0

"$place/venv/bin/python" - "$place" <<'PYTHON'
import sys
from pathlib import Path

import apsw

WRITTEN, READ = b"incident 500 resolved", b"incident 500 sesolved"


def check(path, index):
    """Return both checks' first lines and the row, after one bit of the text was flipped."""
    database = apsw.Connection(str(path))
    database.execute("CREATE TABLE incident (number INTEGER PRIMARY KEY, text TEXT)")
    if index:
        database.execute("CREATE INDEX by_text ON incident (text)")
    for number in range(1000):
        row = (number, f"incident {number} resolved")
        database.execute("INSERT INTO incident VALUES (?, ?)", row)
    database.close()

    stored = path.read_bytes()
    path.write_bytes(stored.replace(WRITTEN, READ, 1))

    database = apsw.Connection(str(path))
    full = database.execute("PRAGMA integrity_check").fetchall()[0][0]
    quick = database.execute("PRAGMA quick_check").fetchall()[0][0]
    text = database.execute("SELECT text FROM incident WHERE number = 500").fetchall()[0][0]
    database.close()
    return full == "ok", quick == "ok", text.rsplit(" ", 1)[1]


# The bit that differs between "r" and "s" is one: 0x72, 0x73.
words = {True: "ok", False: "told"}
seen = []
for index in (False, True):
    full, quick, text = check(Path(sys.argv[1]) / f"{index}.db", index)
    seen.append((full, quick, text))
    name = "column with an index" if index else "column without an index"
    print(f"{name:<26} integrity_check: {words[full]:<12} quick_check: {words[quick]}   read: {text}")
if seen != [(True, True, "sesolved"), (False, True, "sesolved")]:
    sys.exit("the behaviour has changed")
PYTHON

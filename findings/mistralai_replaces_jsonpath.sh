#!/usr/bin/env bash
# Software: python-jsonpath 2.2.2; mistralai 3.7.0, which requires jsonpath-python (1.1.6); all from
#   PyPI, with Python 3 and its pip.
#
# Guess: two packages of different names live side by side, or pip refuses the second one; after an
#   installation without an error, `pip check` says whether anything is broken.
# What happens: both bring a package `jsonpath`. Whichever is installed last writes its files over
#   those of the other, without a word. `import jsonpath` works on, as another library: names that
#   python-jsonpath documents are gone. `pip check` finds nothing, and pip lists both.
# Consequence: a program that uses python-jsonpath breaks when the client of Mistral is installed
#   beside it, at its next start. To have both: mistralai with --no-deps, and what else it needs.
#
# Seen on 2026-11-28:
#   alone                     JSONPathEnvironment: True
#   with mistralai            JSONPathEnvironment: False, pip check: No broken requirements found.
#   installed once more       JSONPathEnvironment: True
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
pip() { "$place/venv/bin/pip" --quiet --disable-pip-version-check "$@"; }
has_it() {
    "$place/venv/bin/python" -c 'import jsonpath; print(hasattr(jsonpath, "JSONPathEnvironment"))'
}

pip install python-jsonpath==2.2.2
alone=$(has_it)
pip install mistralai==3.7.0 jsonpath-python==1.1.6
with=$(has_it)
check=$("$place/venv/bin/pip" --disable-pip-version-check check)
pip install --force-reinstall --no-deps python-jsonpath==2.2.2
again=$(has_it)

echo "alone                     JSONPathEnvironment: $alone"
echo "with mistralai            JSONPathEnvironment: $with, pip check: $check"
echo "installed once more       JSONPathEnvironment: $again"
[ "$alone $with $again" = "True False True" ] && [ "$check" = "No broken requirements found." ]

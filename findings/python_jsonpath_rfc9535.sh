#!/usr/bin/env bash
# Software: python-jsonpath 2.2.2 (PyPI), with its `strict=True`, and Python 3.
#
# Guess: a library that is written for RFC 9535, in its strict mode, orders only numbers with
#   numbers and texts with texts (2.3.5.2.2: everything else is false), and a slice selects
#   nothing from what is not an array (2.3.4.2.2), just as an index does.
# What happens: values go through Python's own `<` and slices. `false < 1` is true and `0 <= true`
#   is true, because bool is an int in Python; a slice of a text yields its characters, each as a
#   value, while an index into the same text yields nothing. `==` does tell 1 from true. Strict
#   mode and the default agree in all of it.
# Consequence: a check such as "some component has errors < 1" passes on `"errors": false`, and a
#   path whose list has become a text still finds values.
#
# Seen on 2026-11-27:
#   $[?@.errors < 1]   [{"errors": false}]  ->  [{"errors": false}]   RFC 9535: []
#   $[?@ <= true]      [0, 1]               ->  [0]                   RFC 9535: []
#   $.list[0:2]        {"list": "down"}     ->  ["d", "o"]            RFC 9535: []
#   $.list[0]          {"list": "down"}     ->  []                    RFC 9535: []
#   $[?@ == 1]         [true]               ->  []                    RFC 9535: []
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check python-jsonpath==2.2.2

"$place/venv/bin/python" - <<'PYTHON'
import json
import sys

import jsonpath

CASES = (  # path, data, what is found; by RFC 9535 it is nothing each time
    ("$[?@.errors < 1]", [{"errors": False}], [{"errors": False}]),
    ("$[?@ <= true]", [0, 1], [0]),
    ("$.list[0:2]", {"list": "down"}, ["d", "o"]),
    ("$.list[0]", {"list": "down"}, []),
    ("$[?@ == 1]", [True], []),
)

same = True
for path, data, expected in CASES:
    strict = jsonpath.JSONPathEnvironment(strict=True).findall(path, data)
    default = jsonpath.JSONPathEnvironment().findall(path, data)
    print(f"{path:<18} {json.dumps(data):<20} ->  {json.dumps(strict):<21} RFC 9535: []")
    same = same and json.dumps(strict) == json.dumps(default) == json.dumps(expected)
if not same:
    sys.exit("the behaviour has changed")
PYTHON

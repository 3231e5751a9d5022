#!/bin/sh
# What `make bench` compares with: the newest blackbox_exporter, and the exporter of COMMIT if given.
#   tests/bench/install.sh [COMMIT]
set -eu
cd "$(dirname "$0")/../.."
BLACKBOX=0.28.0
TOOLS="$PWD/build/tools"
PYTHON="$PWD/.venv/bin/python"

# Debian's is years behind. Its go.mod asks for Go 1.24, which Go from 1.21 on fetches by itself.
build_blackbox() {
    [ -e "$TOOLS/blackbox-$BLACKBOX" ] && return
    minor=$(go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -lt 21 ]; then
        echo "blackbox_exporter $BLACKBOX needs Go 1.21 or newer to be built: Debian's is measured" >&2
        return
    fi
    echo "building: blackbox_exporter $BLACKBOX"
    mkdir -p "$TOOLS"
    if ! GOBIN="$TOOLS" GOTOOLCHAIN=auto nice go install -p 2 -ldflags="-s -w \
        -X github.com/prometheus/common/version.Version=$BLACKBOX" \
        "github.com/prometheus/blackbox_exporter@v$BLACKBOX"; then
        echo "blackbox_exporter $BLACKBOX cannot be built here: Debian's is measured" >&2
        return
    fi
    rm -f "$TOOLS"/blackbox-[0-9]*
    : >"$TOOLS/blackbox-$BLACKBOX"
}

# The libraries are those of .venv, so that nothing but our own code differs.
build_baseline() {
    commit=$(git rev-parse --verify "$1^{commit}")
    folder="build/baseline/$commit"
    [ -e "$folder/done" ] && return
    echo "installing: the exporter of $1 in $folder"
    rm -rf "$folder"
    mkdir -p "$folder/tree"
    git archive "$commit" | tar -x -C "$folder/tree"
    "$PYTHON" -m venv "$folder/venv"
    "$PYTHON" -m pip list --exclude-editable --format=freeze >"$folder/constraints.txt"
    "$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet \
        --constraint "$folder/constraints.txt" "$folder/tree"
    touch "$folder/done"
}

build_blackbox
if [ -n "${1:-}" ]; then build_baseline "$1"; fi

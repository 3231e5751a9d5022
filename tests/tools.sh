#!/bin/sh
# Install the real programs that the tests run, where they are missing (Debian and its kin).
set -eu
PATH="$PATH:/usr/sbin"
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

#!/usr/bin/env bash
# Software: VictoriaMetrics 1.151.0; beside it promtool of Prometheus 3.16.0.
#
# Guess: `rate(x[15m]) * 900` and `increase(x[15m])` are two spellings of one number, and that
#   number is about the same in both engines. A counter that did not move has an increase of 0.
# What happens in VictoriaMetrics:
#   1. A series one minute old that counted one event: `rate(x[15m]) * 900` is 15, because the
#      rate is divided by the age of the series, not by the window. `increase(x[15m])` is 1.
#   2. A counter that comes back unchanged at 8 after a gap: `increase(x[15m])` is 8, as if it had
#      started from 0, once the last sample before the gap is more than 5 minutes older than the
#      window (20 minutes before the query: 0; 21: 8). `rate(x[15m]) * 900` is 0. If it comes back
#      at 25, both are 0: only a small value is taken for a start (rollupDelta in
#      app/vmselect/promql/rollup.go).
#   So each of the two is wrong where the other is right. In Prometheus both are 1, and both are 0.
# Consequence: "more than 5 in 15 minutes" fires with `rate` on a single event of a new target, and
#   with `increase` after an outage of the scraper without any event.
#
# Seen on 2026-11-27:
#   VictoriaMetrics  one event, series 1 minute old   rate*900 15   increase 1
#   VictoriaMetrics  back unchanged at 8              rate*900 0    increase 8
#   VictoriaMetrics  back unchanged at 25             rate*900 0    increase 0
#   Prometheus       one event 1 and 1, back unchanged 0 and 0
set -euo pipefail

place=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi
  rm -rf "$place"
}
trap finish EXIT

export GOBIN=$place/bin GOFLAGS=-p=2
go install github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics@v1.151.0
# Without the tag the software kits of twenty clouds are compiled too.
go install -tags remove_all_sd github.com/prometheus/prometheus/cmd/promtool@v0.316.0

port=$(python3 -c '
import socket
print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
"$place/bin/victoria-metrics" -storageDataPath="$place/data" -httpListenAddr="127.0.0.1:$port" \
  >"$place/log" 2>&1 &
server=$!

cat >"$place/cases.yml" <<'YAML'
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - {series: 'x{case="new"}', values: '_x240 0 0 1 1 1'}
      - {series: 'x{case="8"}', values: '8x40 _x195 8x8'}
      - {series: 'x{case="25"}', values: '25x40 _x195 25x8'}
    promql_expr_test:
      - expr: rate(x[15m]) * 900
        eval_time: 61m
        exp_samples:
          - {labels: '{case="new"}', value: 1}
          - {labels: '{case="8"}', value: 0}
          - {labels: '{case="25"}', value: 0}
      - expr: increase(x[15m])
        eval_time: 61m
        exp_samples:
          - {labels: '{case="new"}', value: 1}
          - {labels: '{case="8"}', value: 0}
          - {labels: '{case="25"}', value: 0}
YAML
"$place/bin/promtool" test rules "$place/cases.yml"
echo "Prometheus       one event 1 and 1, back unchanged 0 and 0"

python3 - "$port" <<'PYTHON'
"""Import the same samples, and compare what VictoriaMetrics makes of them."""
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

BASE = f"http://127.0.0.1:{sys.argv[1]}"
END = int(time.time()) // 60 * 60 - 3600  # long ago, so that nothing is held back as too recent


def ask(path, body=None):
    return urllib.request.urlopen(BASE + path, data=body, timeout=10).read()


def value(query):
    text = urllib.parse.urlencode({"query": query, "time": END, "nocache": 1})
    (row,) = json.loads(ask("/api/v1/query?" + text))["data"]["result"]
    return float(row["value"][1])


for _ in range(100):
    try:
        ask("/health")
        break
    except (urllib.error.URLError, ConnectionError):
        time.sleep(0.1)

lines = [f'x{{case="new"}} {v} {(END - 60 + 15 * n) * 1000}' for n, v in enumerate((0, 0, 1, 1, 1))]
for worth in (8, 25):
    ages = [*range(3660, 3045, -15), *range(120, -15, -15)]
    lines += [f'x{{case="{worth}"}} {worth} {(END - age) * 1000}' for age in ages]
ask("/api/v1/import/prometheus", "\n".join(lines).encode())
ask("/internal/force_flush")

seen = {}
for case, title in (
    ("new", "one event, series 1 minute old"),
    ("8", "back unchanged at 8"),
    ("25", "back unchanged at 25"),
):
    rate = value(f'rate(x{{case="{case}"}}[15m]) * 900')
    increase = value(f'increase(x{{case="{case}"}}[15m])')
    print(f"VictoriaMetrics  {title:<32} rate*900 {rate:<4g} increase {increase:g}")
    seen[case] = (round(rate, 6), increase)
if seen != {"new": (15, 1), "8": (0, 8), "25": (0, 0)}:
    sys.exit("the behaviour has changed")
PYTHON

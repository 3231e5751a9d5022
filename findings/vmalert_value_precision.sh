#!/usr/bin/env bash
# Software: vmalert 1.151.0, with VictoriaMetrics 1.151.0 as its source of data.
#
# Guess: `value` of an alert in `/api/v1/alerts`, the API that vmalert shares with Prometheus, is
#   the value of the rule's expression, a double; it equals `$value` in the alert's own text.
# What happens: the API writes the shortest decimal of the nearest 32-bit float. Whole numbers are
#   exact up to 16,777,216; of 1795823663, a Unix time of 2026-11-27, the last two digits are
#   lost. `$value` in texts is exact.
# Consequence: a program that polls alerts and takes "failing since" or a deadline from `value`
#   can be off by a minute and more, without any error, on vmalert only.
#
# Seen on 2026-11-27:
#   expression 1795823663   $value 1795823663   value in the API 1795823600
#   expression 16777217     $value 16777217     value in the API 16777216
set -euo pipefail

place=$(mktemp -d)
started=()
finish() {
  for one in "${started[@]}"; do kill "$one" 2>/dev/null || true; wait "$one" || true; done
  rm -rf "$place"
}
trap finish EXIT

export GOBIN=$place/bin GOFLAGS=-p=2
source=github.com/VictoriaMetrics/VictoriaMetrics/app
go install "$source/victoria-metrics@v1.151.0" "$source/vmalert@v1.151.0"

read -r data rules < <(python3 -c '
import socket
both = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in both))')

cat >"$place/rules.yml" <<'YAML'
groups:
  - name: all
    interval: 1s
    rules:
      - {alert: Time, expr: vector(1795823663), annotations: {text: '{{ printf "%.0f" $value }}'}}
      - {alert: Odd, expr: vector(16777217), annotations: {text: '{{ printf "%.0f" $value }}'}}
YAML

"$place/bin/victoria-metrics" -storageDataPath="$place/data" -httpListenAddr="127.0.0.1:$data" \
  >"$place/data.log" 2>&1 &
started+=($!)
"$place/bin/vmalert" -rule="$place/rules.yml" -datasource.url="http://127.0.0.1:$data" \
  -notifier.blackhole -httpListenAddr="127.0.0.1:$rules" >"$place/rules.log" 2>&1 &
started+=($!)

python3 - "$rules" <<'PYTHON'
import json
import sys
import time
import urllib.error
import urllib.request

EXPECTED = {"Time": ("1795823663", "1795823600"), "Odd": ("16777217", "16777216")}

seen = {}
for _ in range(300):
    try:
        url = f"http://127.0.0.1:{sys.argv[1]}/api/v1/alerts"
        alerts = json.load(urllib.request.urlopen(url, timeout=10))["data"]["alerts"]
    except (urllib.error.URLError, ConnectionError):
        alerts = []
    seen = {one["name"]: (one["annotations"]["text"], one["value"]) for one in alerts}
    if len(seen) == len(EXPECTED):
        break
    time.sleep(0.1)

for name, (exact, _) in EXPECTED.items():
    text, value = seen.get(name, ("none", "none"))
    print(f"expression {exact:<12} $value {text:<12} value in the API {value}")
if seen != EXPECTED:
    sys.exit("the behaviour has changed")
PYTHON

#!/usr/bin/env bash
# Software: Alertmanager 0.35.0, built from its Go module (without the pages of its UI).
#
# Guess: `alertmanager_notifications_total - sum(alertmanager_notifications_failed_total)` is how
#   many messages were delivered, per integration. The help texts say "attempted" and "failed".
# What happens:
#   1. A receiver that answers 503 to everything: the total grows when a message is begun, the
#      failures only when Alertmanager gives up, after the route's group_interval (5 minutes by
#      default). Until then the difference says that one message was delivered. By the source
#      (notify/retry_stage.go, notify/email) a mail server that refuses has the same effect; an
#      answer that is not retried, such as 400, is counted at once.
#   2. A receiver with `send_resolved: false`: when its alert ends, the total grows by one more,
#      though nothing is sent and no request is made.
#   alertmanager_notification_requests_total minus alertmanager_notification_requests_failed_total
#   counts what was really delivered, in both cases.
# Consequence: "the message was delivered" and the share of failures come out too well, most of
#   all early in an outage of the receiver.
#
# Seen on 2026-11-27 (the number of requests varies with time):
#   send_resolved: false    notifications 2, failed 0; requests 1, failed 0; received 1
#   answered 503            notifications 1, failed 0; requests 4, failed 4; received 0
set -euo pipefail

place=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi
  rm -rf "$place"
}
trap finish EXIT

export GOFLAGS=-p=2
module=$(cd "$place" && go mod download -json github.com/prometheus/alertmanager@v0.35.0 |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
cp -r "$module" "$place/source"
chmod -R u+w "$place/source"
# The module has no built pages, which the server embeds.
mkdir -p "$place/source/ui/app/dist/elm" "$place/source/ui/app/dist/mantine"
echo none | tee "$place/source/ui/app/dist/elm/index.html" \
  >"$place/source/ui/app/dist/mantine/index.html"
(cd "$place/source" && go build -o "$place/alertmanager" ./cmd/alertmanager)

read -r port receiver < <(python3 -c '
import socket
both = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in both))')

cat >"$place/alertmanager.yml" <<YAML
route:
  receiver: refused
  group_by: [alertname]
  group_wait: 0s
  group_interval: 5m
  routes:
    - {matchers: [alertname="ends"], receiver: firing_only, group_interval: 1s}
receivers:
  - name: refused
    webhook_configs: [{url: "http://127.0.0.1:$receiver/refused"}]
  - name: firing_only
    webhook_configs: [{url: "http://127.0.0.1:$receiver/taken", send_resolved: false}]
YAML
"$place/alertmanager" --config.file="$place/alertmanager.yml" --storage.path="$place/data" \
  --web.listen-address="127.0.0.1:$port" --cluster.listen-address= >"$place/log" 2>&1 &
server=$!

python3 - "$port" "$receiver" <<'PYTHON'
"""Be the receiver, let alerts fire and end, and read Alertmanager's counters."""
import datetime
import http.server
import json
import sys
import threading
import time
import urllib.error
import urllib.request

BASE = f"http://127.0.0.1:{sys.argv[1]}"
received = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        taken = self.path == "/taken"
        if taken:
            received.append(self.path)
        self.send_response(200 if taken else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *given):
        pass


def ask(path, data=None):
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(BASE + path, body, {"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=10).read().decode()


def counters():
    """Return notifications, failed ones, requests, failed ones of all webhooks."""
    names = ("notifications", "notifications_failed")
    names += ("notification_requests", "notification_requests_failed")
    rows = ask("/metrics").splitlines()
    return [
        int(
            sum(
                float(row.rsplit(" ", 1)[1])
                for row in rows
                if row.startswith(f"alertmanager_{name}_total{{") and '"webhook"' in row
            )
        )
        for name in names
    ]


def until(true):
    """Wait until *true* of the counters, for at most 20 seconds; return them."""
    for _ in range(200):
        if true(*(seen := counters())):
            break
        time.sleep(0.1)
    return seen


def alert(name, ends_in):
    now = datetime.datetime.now(datetime.timezone.utc)
    started, ends = (now - datetime.timedelta(hours=1)), now + datetime.timedelta(seconds=ends_in)
    labels = {"alertname": name}
    ask(
        "/api/v2/alerts",
        [{"labels": labels, "startsAt": started.isoformat(), "endsAt": ends.isoformat()}],
    )


def show(title, seen, arrived):
    total, failed, requests, refused = seen
    print(
        f"{title:<24}notifications {total}, failed {failed}; "
        f"requests {requests}, failed {refused}; received {arrived}"
    )


listening = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Receiver)
threading.Thread(target=listening.serve_forever, daemon=True).start()
for _ in range(100):
    try:
        ask("/-/ready")
        break
    except (urllib.error.URLError, ConnectionError):
        time.sleep(0.1)

alert("ends", 600)
until(lambda total, failed, requests, refused: requests == 1)
alert("ends", -1)
first = until(lambda total, failed, requests, refused: total == 2)
arrived = len(received)
show("send_resolved: false", first, arrived)

alert("stays", 600)
after = until(lambda total, failed, requests, refused: refused >= 4)
second = [new - old for new, old in zip(after, first)]
show("answered 503", second, len(received) - arrived)

known = first == [2, 0, 1, 0] and arrived == len(received) == 1
known = known and second[:2] == [1, 0] and second[2] == second[3] >= 4
if not known:
    sys.exit("the behaviour has changed")
PYTHON

"""The description and the examples that --help of each command shows around its options."""

from __future__ import annotations

import argparse

# One line each, without the name of the program; every one is parsed by a test.
_EXAMPLES = """
serve --config config/services.yaml
serve --from-env --listen 0.0.0.0:9642
serve --config config/services.yaml --data-dir data --admin-token-file secrets/admin_token
check-config config/services.yaml
check-config services.d/*.yaml
probe openai --config config/services.yaml
probe billing --config services.yaml --providers providers
probe https://example.com/health --timeout 3
probe stripe --json
providers
providers stripe
providers --check providers/billing.yaml
schema > config/services.schema.json
services
services --url http://registry.example.com:9642 --json
top
top --fault credential --team payments
top --once --sort since
watch openai
watch openai --count 1 --json
add billing --base-url https://billing.example.com --admin-token-file secrets/admin_token
add openai --provider openai --key-file - --admin-token-file secrets/admin_token < key.txt
add shop --base-url https://shop.example.com --set health_check.endpoint=/health --set team=web
remove billing --admin-token-file secrets/admin_token
pause openai --reason "they rebuild it" --admin-token-file secrets/admin_token
resume openai --admin-token-file secrets/admin_token
maintenance start openai --for 2h --reason "database upgrade"
maintenance plan openai --from 2026-12-01T22:00:00Z --for 90m
maintenance stop openai
maintenance cancel openai
maintenance show openai
stats
rotate-key openai --admin-token-file secrets/admin_token
rotate-key openai --key-file - --admin-token-file secrets/admin_token < new-key.txt
rotate-key openai --rollback --admin-token-file secrets/admin_token
incidents --status open
incidents show h9qazsas2t
incidents ack h9qazsas2t "calling them" --admin-token-file secrets/admin_token
incidents create "invoices are late" --service billing --admin-token-file secrets/admin_token
report openai --from 2026-11-01 --to 2026-12-01
report openai --from 30d --format html --output openai.html
report --provider twilio --from 2026-11 --format markdown
report --all --format csv --output availability.csv
notify test --config config/services.yaml
notify test slack --config services.yaml
import blackbox.yml --targets prometheus.yml --output services.yaml
import gatus.yaml --json
import uptime-kuma.json --output services.yaml --force
import registry.json --output services.yaml
stack --config config/services.yaml
stack --config services.yaml --minimal --webhook-file webhook-url
stack --minimal --mail me@example.com --smtp localhost:25
stack --config services.yaml --secrets secrets --data-dir /var/lib/service-registry
demo
demo --keep
demo --no-keep
demo --providers 127.0.0.1:9700
completion bash > ~/.local/share/bash-completion/completions/service-registry
completion fish > ~/.config/fish/completions/service-registry.fish
make-secrets secrets
rotate-secret-key --data-dir data
"""


def examples_of(command: str) -> list[str]:
    """Return the example lines of *command*."""
    lines = _EXAMPLES.split("\n")
    return [f"service-registry {line}" for line in lines if line.split(" ")[0] == command]


def explain(parser: argparse.ArgumentParser, command: str, summary: str) -> None:
    """Let the --help of *command* begin with *summary* and end with examples."""
    parser.description = f"{summary[0].upper()}{summary[1:]}."
    parser.epilog = "\n  ".join(["examples:", *examples_of(command)])
    parser.formatter_class = argparse.RawDescriptionHelpFormatter

"""What anybody may read of a declaration, over the API and in the library: no secret in it."""

from __future__ import annotations

import json

from exporter.config import Declared, make_target, read_text, shown_declaration

SENTINEL = "sk-SENTINEL-q7W9xZ2mK4vT8nB1"
TEXT = """
services:
  - id: a
    base_url: https://x.example/v1?token=${S}
    api_key: ${S}
    api_key_next: ${S}
    auth: {kind: basic, username: "${S}"}
    additional_headers: {X-Own: "${S}"}
    health_check:
      endpoint: /status?token=${S}
      method: POST
      headers: {X-Also: "${S}"}
      body: {secret: "${S}"}
      proxy: http://user:${S}@proxy.example:3128
      assertions: [{json: $.token, equals: "${S}"}, {header: x-name, matches: "${S}"}]
"""


def declared() -> Declared:
    return read_text(TEXT, "services.yaml", {"S": SENTINEL}).services[0]


def test_no_secret_is_in_what_is_shown() -> None:
    text = json.dumps(shown_declaration(declared()), ensure_ascii=False)

    assert SENTINEL in str(declared().raw)
    assert not any(SENTINEL[i : i + 8] in text for i in range(len(SENTINEL) - 7))


def test_what_is_no_secret_stays_readable() -> None:
    shown = shown_declaration(declared())

    assert (shown["id"], shown["auth"]["kind"]) == ("a", "basic")
    assert shown["additional_headers"] == {"X-Own": "…"}
    assert shown["health_check"]["method"] == "POST"
    assert shown["health_check"]["assertions"] == [
        {"json": "$.token", "equals": "…"},
        {"header": "x-name", "matches": "…"},
    ]


def test_of_an_address_without_variables_only_the_query_goes() -> None:
    text = "services: [{id: a, base_url: 'https://x.example/v1?key=1'}]"

    shown = shown_declaration(read_text(text, "services.yaml", {}).services[0])

    assert shown["base_url"] == "https://x.example/v1"


def test_what_has_a_variable_is_not_shown_whatever_it_looks_like() -> None:
    text = (
        """services: [{id: a, base_url: "https://x.example/${S}", metadata: {note: "see ${S}"}}]"""
    )

    shown = shown_declaration(read_text(text, "x", {"S": "plain-words"}).services[0])

    assert (shown["base_url"], shown["metadata"]) == ("…", {"note": "…"})


OPEN = """
services:
  - id: a
    base_url: https://x.example
    team: ${TEAM}
    api_key_prefix: "Token abc-"
    auth: {kind: basic, username: u}
    metadata: {owner: ada, note: "${S}", tier: gold}
    maintenance: [{start: 2026-12-01T00:00:00Z, end: 2026-12-02T00:00:00Z, reason: move}]
    health_check:
      tls: {server_name: inner.example}
      assertions:
        - {json: "$.items[?@.token == 'hidden-in-a-path'].id", less_than: 7}
        - {header: x-name, exists: true}
"""


def test_each_field_is_shown_as_its_type_says() -> None:
    shown = shown_declaration(read_text(OPEN, "x", {"S": SENTINEL, "TEAM": "core"}).services[0])

    assert (shown["team"], shown["metadata"]) == (
        "core",
        {"owner": "ada", "note": "…", "tier": "gold"},
    )
    assert (shown["api_key_prefix"], shown["auth"]["username"]) == ("…", "…")
    assert shown["maintenance"][0]["reason"] == "move"
    assert shown["health_check"] == {
        "tls": {"server_name": "inner.example"},
        "assertions": [
            {"json": "$.items[?@.token == '…'].id", "less_than": 7},
            {"header": "x-name", "exists": True},
        ],
    }


def test_a_variable_of_the_defaults_hides_what_inherits_it() -> None:
    text = """
defaults: {base_url: "https://x.example/${S}", metadata: {note: "${S}"}}
services: [{id: a}, {id: b, base_url: "https://y.example/v1", metadata: {note: plain}}]
"""

    a, b = map(shown_declaration, read_text(text, "x", {"S": SENTINEL}).services)

    assert (a["base_url"], a["metadata"]) == ("…", {"note": "…"})
    assert (b["base_url"], b["metadata"]) == ("https://y.example/v1", {"note": "plain"})


FREE = f"""
services:
  - id: a
    base_url: https://hooks.example/services/{SENTINEL}
    metadata:
      owner: ada {SENTINEL}
      runbook: https://wiki.example/a?token=abcdef&page=7
      db_password: hunter22
      note: key {SENTINEL}
      room: "4711"
    maintenance:
      - {{start: 2026-12-01T00:00:00Z, end: 2026-12-02T00:00:00Z, reason: "new key {SENTINEL}"}}
    health_check:
      assertions:
        - {{json: "$.a[?@.pin == 471199].b", equals: 471199}}
        - {{json: $.c, in: [471199]}}
"""


def test_a_free_text_is_shown_without_what_looks_like_a_key_or_is_named_like_one() -> None:
    shown = shown_declaration(read_text(FREE, "x", {}).services[0])
    text = json.dumps(shown, ensure_ascii=False)

    assert SENTINEL not in text
    assert "471199" not in text
    assert shown["metadata"] == {
        "owner": "ada …",
        "runbook": "https://wiki.example/a?token=…&page=7",
        "db_password": "…",
        "note": "key …",
        "room": "4711",
    }


def test_labels_and_addresses_of_a_target_are_struck_in_the_same_way() -> None:
    target = make_target(read_text(FREE, "x", {}).services[0], {})

    assert (target.owner, target.runbook) == ("ada …", "https://wiki.example/a?token=…&page=7")
    assert target.endpoint is not None
    assert target.endpoint.shown == "https://hooks.example/services/…"
    assert SENTINEL in {secret.reveal() for secret in target.secrets()}


def test_a_tag_is_metadata_that_everybody_may_read() -> None:
    text = """services: [{id: a, base_url: "https://x.example", metadata: {tier: gold, region: eu,
        owner: ada, runbook: "https://x.example/r", api_token: words, key: Zq8vLw3nXy7bTk5mPd2r,
        zone: "${ZONE}", empty: ""}}]"""
    (service,) = read_text(text, "services.yaml", {"ZONE": "plain-words"}).services

    assert make_target(service, {}).tags == (("region", "eu"), ("tier", "gold"))

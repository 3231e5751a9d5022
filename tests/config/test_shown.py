"""What anybody may read of a declaration, over the API and in the library: no secret in it."""

from __future__ import annotations

import json

from exporter.config import Declared, read_text, shown_declaration

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

"""What a check sends and expects: declared once, shared by services, canaries and presets.

Only declarations and what follows from them alone. `config` decides which values a service has,
`probers` sends the request and judges the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from exporter.characters import has_control
from exporter.listing import names_in
from exporter.matching import path_mistake, pattern_mistake
from exporter.model import Reason
from exporter.secret import Secret
from exporter.settings import (
    AddressText,
    Duration,
    ExpressionText,
    FieldPath,
    OpenText,
    PublicText,
    SecretData,
    option,
)

Mistakes = Iterator[tuple[FieldPath, str]]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Confidence = Literal["doc", "code", "report", "belief"]
HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$"
_SET_BY_CLIENT = frozenset({"content-length", "transfer-encoding", "connection"})
OPERATORS = (
    "equals",
    "not_equals",
    "in",
    "matches",
    "not_matches",
    "exists",
    "min_items",
    "less_than",
    "greater_than",
    "type",
)
MOST_ASSERTIONS = 200
"""Of one check: each may take as long as the longest path over the worst body."""
JsonType = Literal["string", "number", "integer", "boolean", "array", "object"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """One source (json, header, body) and one operator."""

    json: ExpressionText | None = option(
        None,
        "JSONPath (RFC 9535) into the body; every match is tried. A pattern in it is RE2, written "
        "in quotes. What takes more than 100,000 steps is too large to evaluate, and fails.",
    )
    header: PublicText | None = option(None, "Response header, case-insensitive.", minLength=1)
    body: bool | None = option(None, "The whole body as text.")
    equals: Any = option(None, "The value must be this.")
    not_equals: Any = option(None, "The value must not be this.")
    in_: tuple[Any, ...] | None = option(None, "The value must be one of these (written `in`).")
    matches: str | None = option(None, "RE2 pattern that must be found.", maxLength=1000)
    not_matches: str | None = option(None, "RE2 pattern that must not be found.", maxLength=1000)
    exists: bool | None = option(None, "Whether there must be a value.")
    min_items: int | None = option(None, "The least number of items in the list.", minimum=0)
    less_than: float | None = option(None, "The number is below this.")
    greater_than: float | None = option(None, "The number is above this.")
    type: JsonType | None = option(None, "The JSON type of the value.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRule:
    """The reason that an answer of the provider means; the first rule that applies wins."""

    status: int = option(doc="HTTP status.", minimum=100, maximum=599)
    when: Assertion | None = option(None, "Applies only if this holds for the answer.")
    header_absent: PublicText | None = option(None, "Applies only without this header.")
    reason: Reason = option(doc="What such an answer means.")
    confidence: Confidence = option(
        "belief", "doc, code, report or belief: how well this is known."
    )
    note: OpenText = option("", "Why, in one line.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the API's own answers look like; another answer is an edge's or a proxy's."""

    content: Literal["json", "any"] = option(
        "any", "json: an HTML page is never the API's answer, whatever its status."
    )
    error: tuple[PublicText, ...] = option((), "Members of its errors, such as error or message.")
    headers: tuple[PublicText, ...] = option((), "Response headers of its own.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """How the server is verified, and the client certificate that is sent to it."""

    ca_file: str | None = option(
        None, "PEM file of the accepted authorities; a renewed one counts within ten seconds."
    )
    cert_file: str | None = option(None, "PEM client certificate.")
    key_file: str | None = option(None, "PEM key of the client certificate.")
    server_name: PublicText | None = option(None, "Name to expect in the certificate (and SNI).")
    insecure_skip_verify: bool = option(False, "Accept any certificate.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """The request that shows whether the service works, and what its answer must be."""

    enabled: bool = option(True, "Whether to probe.")
    prober: PublicText = option("http", "Kind of probe.", enum=names_in("probers/kinds"))
    endpoint: AddressText = option("", "Path below base_url, or an absolute URL.", maxLength=2048)
    method: Method = option("GET", "Request method.")
    headers: dict[str, Secret] = option(doc="Request headers.", factory=dict)
    body: SecretData = option(None, "Mapping or list: sent as JSON. Text: sent as it is.")
    interval: Duration = option(60.0, "Time between probes.", min=1, max=86400, shown="60s")
    timeout: Duration = option(10.0, "Time for one attempt.", min=0.01, max=300, shown="10s")
    retries: int | None = option(
        None,
        "Further attempts within one probe; default retry_policy.max_retries.",
        minimum=0,
        maximum=10,
    )
    expected_status_codes: tuple[int, ...] = option(
        (200,),
        "Statuses that mean success.",
        shown="[200]",
        minItems=1,
    )
    assertions: tuple[Assertion, ...] = option(
        (), "What must hold for the answer; at most 200.", maxItems=MOST_ASSERTIONS
    )
    body_limit: int = option(
        64 * 1024,
        "Bytes of the body to read, after decompression; an assertion that needs more of it fails "
        "as `client_error`. JSON of over 100,000 values is not evaluated: assertions fail.",
        minimum=1024,
        maximum=10 * 1024 * 1024,
    )
    follow_redirects: int = option(0, "Hops to follow, same origin only.", minimum=0, maximum=10)
    allow_cross_origin: bool = option(
        False, "Follow to other origins too; credentials are never sent there."
    )
    proxy: Secret | None = option(
        None,
        "HTTP or SOCKS proxy URL.",
        pattern=r"^(https?|socks5h?)://[^\s]+$",
        hint="must be a proxy URL such as http://proxy.example:3128 or socks5h://…",
    )
    tls: TlsSettings = option(doc="TLS of the connection.", factory=TlsSettings)
    allow_private_addresses: bool = option(
        False, "Allow loopback, private, link-local and other non-public addresses."
    )
    connection: Literal["fresh", "keep_alive"] = option(
        "fresh", "A new connection for each probe (every phase is measured), or a kept one."
    )


def header_mistake(name: str, value: str) -> str | None:
    """Return why a request cannot have this header, without quoting it; None if it can.

    >>> header_mistake("Content-Length", "3")
    'is set by the HTTP client itself'
    """
    if not re.fullmatch(HEADER_NAME, name):
        return "is not a header name"
    if name.lower() in _SET_BY_CLIENT:
        return "is set by the HTTP client itself"
    return control_mistake(value)


def control_mistake(value: str) -> str | None:
    """Return what is wrong with a header's value, a key or a user name; None if nothing is."""
    return "holds a line break or another control character" if has_control(value) else None


def operator_of(assertion: Assertion) -> tuple[str, Any]:
    """Return the one operator of a checked *assertion* and its operand."""
    values = ((name, getattr(assertion, "in_" if name == "in" else name)) for name in OPERATORS)
    return next((name, value) for name, value in values if value is not None)


def assertion_mistakes(raw: dict[str, Any]) -> list[tuple[FieldPath, str]]:
    """Return the mistakes of one assertion that a schema cannot express, with paths inside it."""
    sources = [name for name in ("json", "header", "body") if raw.get(name) is not None]
    operators = [n for n in OPERATORS if raw.get(n) is not None]
    mistakes: list[tuple[FieldPath, str]] = []
    if len(sources) != 1:
        mistakes.append(((), "needs exactly one of json, header, body: true"))
    if raw.get("body") is False:
        mistakes.append((("body",), "must be true; leave it out otherwise"))
    if len(operators) != 1:
        mistakes.append(((), f"needs exactly one operator of {', '.join(OPERATORS)}"))
    return mistakes


def pattern_mistakes(data: Any, path: FieldPath = ()) -> Mistakes:
    """Yield what is wrong with assertions, patterns and paths, wherever they are."""
    if isinstance(data, list):
        for i, item in enumerate(data):
            yield from pattern_mistakes(item, (*path, i))
    elif isinstance(data, dict):
        if path[-2:-1] == ("assertions",) or (path[-1:] == ("when",) and "answers" in path):
            yield from (((*path, *inner), what) for inner, what in _assertion(data))
            return
        if path[-2:-1] == ("gauges",) or path[-1:] == ("key_expiry",):
            yield from (((*path, *inner), what) for inner, what in _source(data))
        pattern = data.get("component_filter") if path[-1:] == ("status_page",) else None
        if pattern and (what := pattern_mistake(pattern)):
            yield (*path, "component_filter"), what
        for name, item in data.items():
            if name != "body":
                yield from pattern_mistakes(item, (*path, name))


def _source(raw: dict[str, Any]) -> Mistakes:
    """Yield what is wrong with where a reading comes from."""
    if ("json" in raw) is ("header" in raw):
        yield (), "needs json or header, one of them"
    path = raw.get("json")
    if isinstance(path, str) and (what := path_mistake(path)):
        yield ("json",), what


def _assertion(raw: dict[str, Any]) -> Mistakes:
    yield from assertion_mistakes(raw)
    for name in ("matches", "not_matches"):
        pattern = raw.get(name)
        if isinstance(pattern, str) and (what := pattern_mistake(pattern)):
            yield (name,), what
    path = raw.get("json")
    if isinstance(path, str) and (what := path_mistake(path)):
        yield ("json",), what

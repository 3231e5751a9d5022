"""What is kept of an answer that failed: bounded, readable, and without any secret of ours."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from exporter.checks import Assertion, Shape
from exporter.clock import SystemClock
from exporter.config import read_text
from exporter.config.targets import make_target
from exporter.evidence import MAX_EXCERPT_BYTES, NONE, Evidence
from exporter.log import Redaction
from exporter.model import Reason
from exporter.probers import Endpoint, Expectations, Probers
from exporter.probers.curl import CurlTransport
from exporter.probers.echoes import secrets_of, struck
from exporter.probers.kinds.http import HttpProber
from exporter.secret import HIDDEN, Secret
from tests.fakes import make_endpoint
from tests.sentinel import forms_of
from tests.vendor import Vendor, answer

SENTINEL = "sk-sentinel-7f3kQ9zXw2LmN8pR/+t"
OTHER = "sk-another-service-51H8xkqZ9vPq27"
KEYED: dict[str, Any] = {"credentials": (("Authorization", Secret(f"Bearer {SENTINEL}")),)}


def encodings(secret: str) -> dict[str, str]:
    """Return how a server could write *secret*: what a sweep looks for, and more."""
    raw = secret.encode()
    found = {name: form.decode("latin-1") for name, form in forms_of(secret).items()}
    for shift in range(3):  # whole: the sweep looks for the part that neighbours do not change
        text = base64.b64encode(b"x" * shift + raw)
        found[f"base64+{shift}"] = text.decode()
        found[f"base64url+{shift}"] = text.translate(bytes.maketrans(b"+/", b"-_")).decode()
    return found | {
        "upper": secret.upper(),
        "every character as percent": "".join(f"%{byte:02x}" for byte in raw),
        "percent twice": quote(quote(secret, safe=""), safe=""),
        "json escapes": "".join(f"\\u{byte:04x}" for byte in raw),
        "json within json": json.dumps(json.dumps(secret.replace("/", "\\/"))),
        "entities": "".join(f"&#{byte};" for byte in raw),
        "named entities": html.escape(secret).replace("/", "&sol;").replace("t", "&#x74;"),
        "quoted-printable": "".join(f"={byte:02X}" for byte in raw),
        "base32": base64.b32encode(raw).decode(),
        "base64 of hex": base64.b64encode(raw.hex().encode()).decode(),
        "spaced": " ".join(secret),
        "in pieces of four": "\u200b".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
    }


# Of a key of another service a piece, or another case, is not known.
CASES = [
    pytest.param(secret, form, id=f"{owner}: {form}")
    for owner, secret, unknown in (
        ("own", SENTINEL, ()),
        ("other", OTHER, ("tail", "head", "upper")),
    )
    for form in encodings(secret)
    if form not in unknown
]


def any_trace(shown: str) -> list[str]:
    """Return the forms of the sentinels that are in *shown*."""
    found = []
    for secret in (SENTINEL, OTHER):
        swept = {name: form.decode("latin-1") for name, form in forms_of(secret).items()}
        for name, form in (*encodings(secret).items(), *swept.items()):
            if form in shown or json.dumps(form)[1:-1] in shown:
                found.append(f"{name} of {secret[:10]}")
    return found


async def failure(
    vendor: Vendor, body: bytes | str, *, status: int = 500, headers: Any = (), **changes: Any
) -> Evidence:
    """Return the evidence of an answer that fails."""
    given = body.encode() if isinstance(body, str) else body
    vendor.on("/", answer(status, given, list(headers)))
    transport, redaction = CurlTransport(), Redaction()
    redaction.replace([Secret(OTHER)])
    probers = Probers(transport, SystemClock(), redaction.holds)
    try:
        outcome = await probers.probe(make_endpoint(vendor.url("/"), **changes))
    finally:
        await transport.close()
    assert not outcome.success
    assert outcome.evidence is not None
    return outcome.evidence


# -- secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("secret", "form"), CASES)
async def test_a_secret_is_struck_out_however_it_is_encoded(
    secret: str, form: str, vendor: Vendor
) -> None:
    echo = encodings(secret)[form]
    plain = "".join(char for char in echo if char.isprintable())
    body = json.dumps({"error": {"message": f"bad key {echo} given", "code": "bad"}})
    evidence = await failure(
        vendor,
        body,
        headers=[
            ("X-Request-Id", "req-1"),
            ("Server", f"echo/{plain} x".encode("ascii", "replace").decode()),
            ("CF-Ray", "ray-2"),
        ],
        **KEYED,
    )

    shown = f"{evidence}"
    assert not any_trace(shown)
    assert echo not in shown
    assert plain not in shown
    assert HIDDEN in evidence.excerpt
    assert dict(evidence.headers).get("cf-ray", "ray-2") == "ray-2"


@pytest.mark.parametrize("before", range(MAX_EXCERPT_BYTES - 40, MAX_EXCERPT_BYTES + 3))
def test_no_piece_of_a_secret_is_left_where_the_excerpt_ends(before: int) -> None:
    holds = secrets_of(make_endpoint("https://a.example/", **KEYED))

    found = struck("." * before + SENTINEL + " and more", holds, MAX_EXCERPT_BYTES)

    assert not any(SENTINEL[i : i + 4] in found for i in range(len(SENTINEL) - 3))
    assert len(found.encode()) <= MAX_EXCERPT_BYTES


def test_what_is_struck_out_moves_nothing_into_sight() -> None:
    holds = secrets_of(make_endpoint("https://a.example/", **KEYED))

    found = struck(f"{SENTINEL} " * 40, holds, 512)

    assert found.count(HIDDEN) <= 512 // len(SENTINEL) + 1
    assert "sk-" not in found


def test_the_text_beside_a_secret_stays() -> None:
    holds = secrets_of(make_endpoint("https://a.example/", **KEYED))

    found = struck(f'{{"error":"the key {SENTINEL} is wrong"}}', holds, 512)

    assert found == f'{{"error":"the key {HIDDEN} is wrong"}}'


async def test_a_secret_in_the_name_of_a_header_drops_it(vendor: Vendor) -> None:
    name = f"X-RateLimit-{SENTINEL[:22]}"
    evidence = await failure(vendor, "", headers=[(name, "1"), ("Server", "nginx")], **KEYED)

    assert dict(evidence.headers)["server"] == "nginx"
    assert not any("ratelimit" in header for header, _ in evidence.headers)


async def test_a_secret_that_an_assertion_found_is_struck_out(vendor: Vendor) -> None:
    expect = Expectations(
        assertions=(
            Assertion(json="$.echo", equals="x"),
            Assertion(header="X-Echo", equals="x"),
            Assertion(json="$.access_token", exists=False),
        )
    )
    body = json.dumps({"echo": f"is {SENTINEL}", "access_token": "tok"})
    evidence = await failure(
        vendor, body, status=200, headers=[("X-Echo", OTHER)], expect=expect, **KEYED
    )

    assert evidence.found == (
        ("$.echo", f"is {HIDDEN}"),
        ("header X-Echo", HIDDEN),
        ("$.access_token", HIDDEN),
    )


# -- what is kept ------------------------------------------------------------------------------


async def test_an_excerpt_is_the_error_of_a_json_body(vendor: Vendor) -> None:
    long = {"padding": "x" * 4000, "error": {"message": "no", "type": "server_error"}, "ok": False}

    assert (await failure(vendor, json.dumps(long))).excerpt == (
        '{"error":{"message":"no","type":"server_error"}}'
    )


async def test_the_error_member_of_the_shape_comes_first(vendor: Vendor) -> None:
    body = json.dumps({"message": "m" * 400, "fault": "quota"})
    expect = Expectations(shape=Shape(error=("fault",)))

    evidence = await failure(vendor, body, expect=expect)

    assert evidence.excerpt.startswith('{"fault":"quota","message":')


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        ("gone  \n\t fishing", "gone fishing"),
        ("", ""),
        ('["a","b"]', '["a","b"]'),
        ('[{"error":{"code":429}}]', '{"error":{"code":429}}'),
        ('{"status":"bad","errors":[]}', '{"status":"bad","errors":[]}'),
        ("<html><head><title>Oops</title><script>var a='<b>'</script></head><p>It broke</p>", None),
        ('{"a":', '{"a":'),
        ("\x1b[31mred, then \x07 a bell", "[31mred, then a bell"),
    ],
)
async def test_other_bodies_are_shown_as_their_text(
    body: str, excerpt: str | None, vendor: Vendor
) -> None:
    found = (await failure(vendor, body)).excerpt

    assert found == ("Oops It broke" if excerpt is None else excerpt)


@pytest.mark.parametrize("character", ["é", "漢", "😀", "x"])
async def test_an_excerpt_ends_with_a_whole_character(character: str, vendor: Vendor) -> None:
    found = (await failure(vendor, character * 2000)).excerpt

    assert found == character * len(found)
    assert MAX_EXCERPT_BYTES - 4 < len(found.encode()) <= MAX_EXCERPT_BYTES


async def test_bytes_are_described_and_not_shown(vendor: Vendor) -> None:
    evidence = await failure(vendor, bytes(range(256)) * 8, headers=[("Content-Type", "image/png")])

    assert evidence.excerpt == "(image/png, 2,048 bytes)"


@pytest.mark.parametrize(
    ("status", "changes"),
    [(200, {}), (204, {}), (500, {"excerpt": False})],
    ids=["200", "204", "off"],
)
async def test_no_excerpt_is_kept_where_none_may_be(
    status: int, changes: dict[str, Any], vendor: Vendor
) -> None:
    body = b"" if status == 204 else b'{"error":"the amount is 5000"}'
    expect = Expectations(statuses=frozenset({201}))

    assert (await failure(vendor, body, status=status, expect=expect, **changes)).excerpt == ""


async def test_what_assertions_found_is_kept(vendor: Vendor) -> None:
    expect = Expectations(
        assertions=(
            Assertion(json="$.status", equals="up"),
            Assertion(json="$.status", type="string"),
            Assertion(json="$.missing", exists=True),
            Assertion(json="$.nodes", min_items=3),
            Assertion(header="X-Version", matches="^2"),
            Assertion(body=True, matches="never"),
        )
    )
    body = '{"status":"degraded","nodes":[1,2]}'

    evidence = await failure(
        vendor, body, status=200, headers=[("X-Version", "1.9")], expect=expect
    )

    assert evidence.found == (
        ("$.status", "degraded"),
        ("$.missing", "nothing"),
        ("$.nodes", "[1,2]"),
        ("header X-Version", "1.9"),
        ("body", f"{len(body)} bytes"),
    )
    assert evidence.excerpt == ""


async def test_nothing_found_in_a_body_is_kept_without_excerpts(vendor: Vendor) -> None:
    expect = Expectations(
        assertions=(Assertion(json="$.a", equals=1), Assertion(header="X-A", equals="1"))
    )
    evidence = await failure(
        vendor,
        '{"a":2}',
        status=200,
        headers=[("X-A", "2")],
        expect=expect,
        excerpt=False,
    )

    assert evidence.found == (("header X-A", "2"),)


async def test_only_headers_of_the_list_are_kept_and_bounded(vendor: Vendor) -> None:
    kept = {
        "date": "Sat, 28 Nov 2026 04:00:00 GMT",
        "server": "nginx",
        "via": "1.1 edge",
        "retry-after": "7",
        "x-ratelimit-remaining": "0",
        "anthropic-ratelimit-requests-limit": "50",
        "cf-ray": "8a1b2c",
        "x-request-id": "req-1",
    }
    dropped = [("Set-Cookie", "a=b"), ("X-Internal", "c"), ("Location", "/d"), ("ETag", "e")]
    many = [(f"X-RateLimit-{i}", "v" * 600) for i in range(60)]

    evidence = await failure(vendor, "", headers=[*kept.items(), *dropped, *many])

    assert dict(evidence.headers).items() >= kept.items()
    assert not {name.lower() for name, _ in dropped} & dict(evidence.headers).keys()
    assert len(evidence.headers) == 24
    assert max(len(value) for _, value in evidence.headers) == 128


@pytest.mark.parametrize(
    ("body", "headers", "answerer"),
    [
        ('{"error":"x"}', [], "api"),
        ("<html>502", [("Content-Type", "text/html"), ("CF-Ray", "1")], "edge"),
        ("<html>blocked", [("Server", "Zscaler/6.2")], "ours"),
    ],
)
async def test_who_answered_is_kept(
    body: str, headers: list[tuple[str, str]], answerer: str, vendor: Vendor
) -> None:
    expect = Expectations(shape=Shape(content="json"))

    assert (await failure(vendor, body, headers=headers, expect=expect)).answerer == answerer


async def test_a_failure_without_an_answer_has_nothing_to_show(prober: HttpProber) -> None:
    outcome = await prober.probe(make_endpoint("http://127.0.0.1:1/"))

    assert outcome.reason is Reason.CONNECT
    assert outcome.evidence == NONE


async def test_what_fails_again_has_its_tls_session_and_what_works_pays_nothing(
    tls_vendor: Vendor, transport: CurlTransport, authority: Any
) -> None:
    asked: list[bool] = []

    class Noting(CurlTransport):
        async def fetch(self, request: Any) -> Any:
            asked.append(request.session)
            return await transport.fetch(request)

    prober = HttpProber(Noting(), SystemClock())
    endpoint = make_endpoint(tls_vendor.url("/"), tls=authority.trusted())
    kept = []
    for status in (200, 503, 503, 200, 200):
        tls_vendor.on("/", answer(status, b"{}"))
        kept.append((await prober.probe(endpoint)).evidence)

    assert asked == [False, False, True, True, False]
    first, again = kept[1], kept[2]
    assert first is not None
    assert again is not None
    assert (first.tls_version, first.cipher) == ("", "")
    assert (again.tls_version, again.cipher[:4]) == ("TLSv1.3", "TLS_")


async def test_of_many_failing_addresses_some_are_watched(
    vendor: Vendor, prober: HttpProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.probers.kinds.http._MOST_WATCHED", 3)
    for number in range(5):
        vendor.on(f"/{number}", answer(500))
        await prober.probe(make_endpoint(vendor.url(f"/{number}")))

    assert len(prober._failed) == 3


async def test_a_success_makes_no_evidence(vendor: Vendor, prober: HttpProber) -> None:
    vendor.on("/", answer(200, b"{}"))

    assert (await prober.probe(make_endpoint(vendor.url("/")))).evidence is None


async def test_a_defect_in_the_evidence_hides_no_failure(
    vendor: Vendor, prober: HttpProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Evidence:
        raise RuntimeError

    monkeypatch.setattr("exporter.probers.kinds.http.evidence_of", broken)
    vendor.on("/", answer(500, b"x"))

    outcome = await prober.probe(make_endpoint(vendor.url("/")))

    assert (outcome.reason, outcome.evidence) == (Reason.SERVER_ERROR, NONE)


# -- the setting -------------------------------------------------------------------------------


def endpoint_of(text: str) -> Endpoint:
    (declared,) = read_text(text, "s.yaml", {}).services
    endpoint = make_target(declared, {}).endpoint
    assert endpoint is not None
    return endpoint


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("services: [{id: a, base_url: 'https://a.example'}]", True),
        ("services: [{id: a, base_url: 'https://a.example', evidence: {excerpt: false}}]", False),
        (
            "defaults: {evidence: {excerpt: false}}\n"
            "services: [{id: a, base_url: 'https://a.example'}]",
            False,
        ),
        (
            "defaults: {evidence: {excerpt: false}}\n"
            "services: [{id: a, base_url: 'https://a.example', evidence: {excerpt: true}}]",
            True,
        ),
        ("services: [{id: a, provider: openai, api_key: k}]", True),
        ("services: [{id: a, provider: stripe, api_key: k}]", False),
        ("services: [{id: a, provider: stripe, api_key: k, evidence: {excerpt: true}}]", False),
        (
            "services: [{id: a, provider: stripe, api_key: k,"
            " health_check: {endpoint: /v1/charges}}]",
            False,
        ),
    ],
)
def test_an_excerpt_is_a_setting_and_never_of_a_sensitive_body(
    text: str, excerpt: bool, tmp_path: Path
) -> None:
    assert endpoint_of(text).excerpt is excerpt

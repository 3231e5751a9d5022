"""Redirects: what is followed, and what never leaves the endpoint's own origin."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.checks import Assertion
from exporter.model import FACTS, Certificate, Outcome, Reason
from exporter.probers import Answer, Expectations, Request
from exporter.probers.kinds.http import HttpProber
from exporter.secret import Secret
from tests.conftest import Authority
from tests.fakes import KEY, FakeClock, beside_sleeps, make_endpoint
from tests.vendor import Behaviour, Vendor, answer, redirect

SECRETS: dict[str, Any] = {
    "headers": (("User-Agent", "agent/1"), ("Accept", "*/*"), ("Content-Type", "text/own")),
    "credentials": (("Authorization", Secret(f"Bearer {KEY}")), ("X-Api-Key", Secret(KEY))),
    "query": (("key", Secret(KEY)),),
    "body": f"body {KEY}".encode(),
    "method": "POST",
    "keyed": True,
}


async def test_an_expected_status_is_ok_and_the_outcome_tells_the_rest(
    vendor: Vendor, prober: HttpProber
) -> None:
    headers = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "9", "x-request-id": "r-1"}
    vendor.on("/", answer(201, {"a": 1}, headers))
    expect = Expectations(statuses=frozenset({200, 201}))

    outcome = await prober.probe(make_endpoint(vendor.url(), expect=expect, keyed=True))

    assert (outcome.reason, outcome.detail, outcome.status) == (Reason.OK, "status 201", 201)
    assert (outcome.http_version, outcome.content_length, outcome.redirects) == (1.1, 8, 0)
    assert (outcome.address, outcome.request_id, outcome.keyed) == ("127.0.0.1", "r-1", True)
    assert (outcome.limits["requests"].limit, outcome.limits["requests"].remaining) == (60, 9)
    assert sum(outcome.phases) == pytest.approx(outcome.duration)


async def test_a_failure_reads_nothing_from_the_answer(prober: HttpProber) -> None:
    outcome = await prober.probe(make_endpoint("http://127.0.0.1:1/"))

    assert (outcome.reason, outcome.status, dict(outcome.limits)) == (Reason.CONNECT, 0, {})


@pytest.mark.parametrize(
    ("limit", "reason"),
    [({}, Reason.CLIENT_ERROR), ({"body_limit": 100_000}, Reason.OK)],
    ids=["default", "larger"],
)
async def test_a_large_body_is_read_as_far_as_the_service_says(
    limit: dict[str, int], reason: Reason, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect("/large"))
    vendor.on("/large", answer(200, {"padding": "x" * 70_000, "state": "ready"}))
    expect = Expectations(assertions=(Assertion(json="$.state", equals="ready"),))

    outcome = await prober.probe(
        make_endpoint(vendor.url(), expect=expect, follow_redirects=1, **limit)
    )

    assert (outcome.reason, FACTS[outcome.reason].up) == (reason, True)


VALUE = Expectations(assertions=(Assertion(json="$.v", equals=1),))


@pytest.mark.parametrize("coding", ["utf-8", "aws-chunked", "identity, binary"])
async def test_a_body_with_an_unknown_encoding_is_asked_for_as_it_is(
    coding: str, vendor: Vendor, prober: HttpProber
) -> None:
    """Browsers show it. The address is remembered, so that each later probe asks once."""
    vendor.on("/", answer(200, {"v": 1}, {"content-encoding": coding}))
    endpoint = make_endpoint(vendor.url(), expect=VALUE)

    reasons = [(await prober.probe(endpoint)).reason for _ in range(3)]

    assert reasons == [Reason.OK] * 3
    assert [seen.header("accept-encoding") is None for seen in vendor.seen] == [
        False,
        *[True] * 3,
    ]


@pytest.mark.parametrize("coding", ["gzip", "gzip, utf-8", "utf-8, br"])
async def test_a_broken_body_with_a_known_encoding_stays_broken(
    coding: str, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", answer(200, {"v": 1}, {"content-encoding": coding}))

    outcome = await prober.probe(make_endpoint(vendor.url(), expect=VALUE))

    assert (outcome.reason, len(vendor.seen)) == (Reason.PROTOCOL, 1)


async def test_a_post_with_an_unknown_encoding_is_never_sent_twice(
    vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", answer(200, {"v": 1}, {"content-encoding": "utf-8"}))
    endpoint = make_endpoint(vendor.url(), expect=VALUE, method="POST", body=b"{}")

    reasons = []
    for sent in (1, 2):
        reasons.append((await prober.probe(endpoint)).reason)
        assert len(vendor.seen) == sent

    assert reasons == [Reason.PROTOCOL, Reason.OK]


@pytest.mark.parametrize("path", ["/", "/?a=b", "/?"])
async def test_a_key_in_the_query_is_appended_and_encoded(
    path: str, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", answer())

    await prober.probe(make_endpoint(vendor.url(path), query=(("key", Secret("a&b=c d/é")),)))

    assert vendor.seen[0].query.rpartition("&")[2] == "key=a%26b%3Dc%20d%2F%C3%A9"
    assert vendor.seen[0].query.startswith(path[2:])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_unless_configured(
    status: int, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect("/there", status))

    outcome = await prober.probe(make_endpoint(vendor.url()))

    assert (outcome.reason, outcome.status) == (Reason.REDIRECT_REFUSED, status)
    assert [request.path for request in vendor.seen] == ["/"]


async def test_an_expected_redirect_is_ok_and_not_followed(
    vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect("/there"))
    expect = Expectations(statuses=frozenset({302}))

    outcome = await prober.probe(make_endpoint(vendor.url(), follow_redirects=3, expect=expect))

    assert (outcome.reason, len(vendor.seen)) == (Reason.OK, 1)


KEPT = [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]


@pytest.mark.parametrize(("status", "method"), KEPT)
async def test_at_home_the_key_is_kept_and_the_method_follows_the_status(
    status: int, method: str, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect("/there", status))
    vendor.on("/there", answer())

    outcome = await prober.probe(make_endpoint(vendor.url(), follow_redirects=1, **SECRETS))

    assert (outcome.reason, outcome.redirects) == (Reason.OK, 1)
    second = vendor.seen[1]
    assert (second.method, second.header("x-api-key")) == (method, KEY)
    assert second.body == (SECRETS["body"] if method == "POST" else b"")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nothing_secret_reaches_another_origin(
    status: int, vendor: Vendor, other: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect(other.url("/there"), status))
    other.on("/there", answer())

    outcome = await prober.probe(
        make_endpoint(vendor.url(), follow_redirects=1, allow_cross_origin=True, **SECRETS)
    )

    assert (outcome.reason, outcome.redirects) == (Reason.OK, 1)
    (request,) = other.seen
    assert not request.holds(KEY)
    assert (request.body, request.query) == (b"", "")
    names = {name.lower() for name, _ in request.headers} - {"content-length", "content-type"}
    assert names == {"host", "user-agent", "accept", "accept-encoding"}


async def test_who_has_left_does_not_come_back_with_key_or_body(
    vendor: Vendor, other: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect(other.url(), 307))
    other.on("/", redirect(vendor.url("/back"), 307))
    vendor.on("/back", answer())

    await prober.probe(
        make_endpoint(vendor.url(), follow_redirects=2, allow_cross_origin=True, **SECRETS)
    )

    assert not other.seen[0].holds(KEY)
    assert not vendor.seen[1].holds(KEY)
    assert vendor.seen[1].body == b""


async def test_a_client_certificate_is_not_shown_to_another_origin(clock: FakeClock) -> None:
    transport = Script([_moved("https://b.test/"), Answer(status=200)])
    tls = Authority(ca=None, file="/ca").trusted(  # type: ignore[arg-type]
        cert_file="/c", key_file="/k", server_name="n", insecure_skip_verify=True
    )
    endpoint = make_endpoint(
        "https://a.test/", tls=tls, allow_cross_origin=True, follow_redirects=1
    )

    await HttpProber(transport, clock).probe(endpoint)

    there = transport.requests[1].tls
    assert (there.ca_file, there.cert_file, there.key_file) == ("/ca", None, None)
    assert (there.server_name, there.insecure_skip_verify) == (None, False)


@pytest.mark.parametrize("where", ["/a", "/b"])
async def test_a_loop_ends_after_the_hops_allowed(
    where: str, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/a", redirect(where))
    vendor.on("/b", redirect("/a"))

    outcome = await prober.probe(make_endpoint(vendor.url("/a"), follow_redirects=5))

    assert (outcome.reason, outcome.redirects, len(vendor.seen)) == (Reason.REDIRECT_REFUSED, 5, 6)
    assert outcome.detail == "redirect 6 may not be followed"


def _elsewhere(vendor: Vendor, other: Vendor) -> dict[str, str]:
    there, here = f"127.0.0.1:{other.port}", f"127.0.0.1:{vendor.port}"
    return {
        "another port": f"http://{there}/",
        "no scheme": f"//{there}/",
        "user info": f"http://user:pass@{here}/there",
        "user info that looks like home": f"http://{here}@{there}/",
        "encoded user info": f"http://{here}%40{there}/",
        "backslash": f"http://{here}\\@{there}/",
        "backslashes": f"\\\\{there}/",
        "four slashes": f"////{there}/",
        "another name": f"http://localhost:{vendor.port}/there",
        "trailing dot": f"http://127.0.0.1.:{vendor.port}/there",
        "decimal": f"http://2130706433:{vendor.port}/there",
        "metadata": "http://169.254.169.254/latest/meta-data/",
        "other scheme": f"ftp://{here}/there",
        "file": "file:///etc/passwd",
        "javascript": "javascript:alert(1)",
        "https": f"https://{here}/there",
        "bad port": f"http://127.0.0.1:{vendor.port}x/there",
        "huge port": "http://127.0.0.1:99999/there",
        "bad bracket": "http://[::1/there",
        "tab": f"http:\t//{there}/",
    }


@pytest.mark.parametrize("kind", sorted(_elsewhere(Vendor(), Vendor())))
async def test_a_redirect_away_from_home_is_refused(
    kind: str, vendor: Vendor, other: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect(_elsewhere(vendor, other)[kind]))
    vendor.on("/there", answer())

    outcome = await prober.probe(make_endpoint(vendor.url(), follow_redirects=3, **SECRETS))

    assert outcome.reason in (Reason.REDIRECT_REFUSED, Reason.CLIENT_ERROR)
    assert other.connections == 0
    assert {request.path for request in vendor.seen} <= {"/", f"//127.0.0.1:{other.port}/"}


@pytest.mark.parametrize("location", ["", None])
async def test_a_redirect_without_a_place_is_refused(
    location: str | None, vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", answer(302) if location is None else redirect(location))

    outcome = await prober.probe(make_endpoint(vendor.url(), follow_redirects=2))

    assert outcome.reason is Reason.REDIRECT_REFUSED


async def test_https_never_falls_back_to_http(
    tls_vendor: Vendor, vendor: Vendor, prober: HttpProber, authority: Authority
) -> None:
    tls_vendor.on("/", redirect(vendor.url()))
    vendor.on("/", answer())
    endpoint = make_endpoint(
        tls_vendor.url(), tls=authority.trusted(), follow_redirects=3, allow_cross_origin=True
    )

    outcome = await prober.probe(endpoint)

    assert outcome.reason is Reason.REDIRECT_REFUSED
    assert vendor.connections == 0


async def test_http_may_lead_to_https(
    vendor: Vendor, tls_vendor: Vendor, prober: HttpProber, authority: Authority
) -> None:
    vendor.on("/", redirect(tls_vendor.url()))
    tls_vendor.on("/", answer())
    endpoint = make_endpoint(
        vendor.url(), tls=authority.trusted(), follow_redirects=1, allow_cross_origin=True
    )

    outcome = await prober.probe(endpoint)

    assert (outcome.reason, outcome.certificate is not None) == (Reason.OK, True)


async def test_every_hop_passes_the_address_policy(clock: FakeClock) -> None:
    transport = Script([_moved("http://169.254.169.254/latest"), Answer(status=200)])
    endpoint = make_endpoint(
        "http://a.test/", allow_private=False, follow_redirects=1, allow_cross_origin=True
    )

    await HttpProber(transport, clock).probe(endpoint)

    assert [request.allow_private for request in transport.requests] == [False, False]


async def test_a_place_with_bytes_beyond_ascii_is_followed(
    vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect("/caf\u00e9#part"))
    vendor.on("/caf%C3%A9", answer())

    outcome = await prober.probe(make_endpoint(vendor.url(), follow_redirects=1))

    assert (outcome.reason, outcome.status) == (Reason.OK, 200)


async def test_time_and_phases_are_summed_over_the_hops(vendor: Vendor, prober: HttpProber) -> None:
    slow: Behaviour = answer(302, headers=[("Location", "/b")], head_delay=0.05)
    vendor.on("/a", slow)
    vendor.on("/b", answer(body="halves", head_delay=0.05, body_delay=0.03))

    probe = prober.probe(make_endpoint(vendor.url("/a"), follow_redirects=1))
    outcome, late = await beside_sleeps(probe)

    assert 0.098 <= outcome.phases[3] < 0.14 + late
    assert 0.028 <= outcome.phases[4] < 0.06 + late
    assert sum(outcome.phases) == pytest.approx(outcome.duration)


async def test_each_hop_has_what_is_left_of_the_time(clock: FakeClock) -> None:
    hops = [_moved("/1", 2.0), _moved("/2", 2.0), _moved("/3", 2.0), Answer(status=200)]
    transport = Script(hops)

    await HttpProber(transport, clock).probe(
        make_endpoint("http://a.test/", timeout=10.0, follow_redirects=5)
    )

    assert [request.timeout for request in transport.requests] == [10.0, 8.0, 6.0, 4.0]


async def test_a_failing_hop_ends_the_probe_with_its_reason(
    vendor: Vendor, prober: HttpProber
) -> None:
    vendor.on("/", redirect("http://127.0.0.1:1/"))

    outcome: Outcome = await prober.probe(
        make_endpoint(vendor.url(), follow_redirects=1, allow_cross_origin=True)
    )

    assert (outcome.reason, outcome.redirects) == (Reason.CONNECT, 1)


def _moved(location: str, duration: float = 0.0) -> Answer:
    return Answer(status=302, headers={"location": location}, duration=duration)


class Script:
    """A transport that gives the answers it was made with."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers, self.requests = answers, list[Request]()

    async def fetch(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.answers[len(self.requests) - 1]


async def test_a_secret_that_the_peer_writes_into_its_certificate_is_not_kept(
    clock: FakeClock,
) -> None:
    names = {"subject": f"CN = {KEY}", "issuer": "CN = authority", "verified": False}

    class Echoing:
        async def fetch(self, request: Request) -> Answer:
            found = Certificate(expiry=1.9e9, **names)  # type: ignore[arg-type]
            return Answer(failure=Reason.TLS, certificate=found)

    endpoint = make_endpoint(
        "https://x.example/", credentials=(("Authorization", Secret(f"Bearer {KEY}")),)
    )

    outcome = await HttpProber(Echoing(), clock).probe(endpoint)

    assert outcome.certificate == Certificate(expiry=1.9e9, verified=False)

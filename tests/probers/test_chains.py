"""A chain is asked for where it is new, after a failure, and every ten minutes."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from exporter.checks import TlsSettings
from exporter.model import Certificate, Reason
from exporter.probers import Answer
from exporter.probers.curl import CurlTransport
from exporter.probers.curl import chains as module
from exporter.probers.curl.chains import MAX_AGE_SECONDS, Chains
from exporter.probers.curl.trust import TrustFile
from tests.certificates import LONG_AGO, issued
from tests.conftest import Authority
from tests.fakes import make_request
from tests.mischief import reset
from tests.vendor import Vendor, answer

A, B = "192.0.2.1", "192.0.2.2"
REQUEST = make_request("https://api.example/")
TRUST = TrustFile("/nonexistent.pem", None)
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


async def _seen(chains: Chains, address: str, number: int, now: float) -> Answer:
    """Return the answer of *address*, whose certificate is *number*, if it was asked for."""
    return await _answered(chains, address, Certificate(expiry=number, verified=False), now)


async def _answered(
    chains: Chains, address: str, brought: Certificate | None, now: float, **more: Any
) -> Answer:
    got = Answer(status=200, address=address, certificate=brought, **more)
    await chains.complete(REQUEST, got, TRUST, now)
    return got


async def test_a_chain_is_asked_for_when_it_was_seen_ten_minutes_ago() -> None:
    chains = Chains()
    assert chains.lacks(REQUEST, [A], 0.0)

    await _seen(chains, A, 1, 0.0)

    assert not chains.lacks(REQUEST, [A], MAX_AGE_SECONDS - 1)
    assert chains.lacks(REQUEST, [A], MAX_AGE_SECONDS)
    again = await _answered(chains, A, None, MAX_AGE_SECONDS - 1)
    assert again.certificate == Certificate(expiry=1, verified=False)
    assert (await _answered(chains, A, None, MAX_AGE_SECONDS)).certificate is None


@pytest.mark.parametrize(
    "other",
    [
        {"url": "https://another.example/"},
        {"url": "https://api.example:8443/"},
        {"tls": TlsSettings(server_name="another.example")},
        {"tls": TlsSettings(ca_file="another.pem")},
        {"tls": TlsSettings(insecure_skip_verify=True)},
        {"proxy": "http://proxy.example:3128"},
        {"inspect": True},
    ],
    ids=["host", "port", "name", "authorities", "unverified", "proxy", "inspection"],
)
async def test_what_another_request_saw_does_not_count(other: dict[str, Any]) -> None:
    chains = Chains()
    await _seen(chains, A, 1, 0.0)

    assert not chains.lacks(replace(REQUEST, url="https://api.example/path"), [A], 1.0)
    assert chains.lacks(replace(REQUEST, **other), [A], 1.0)


async def test_the_chain_behind_a_proxy_is_known_by_the_proxy() -> None:
    chains, request = Chains(), replace(REQUEST, proxy="http://proxy.example:3128")
    first = Answer(status=200, address=A, certificate=Certificate(expiry=1, verified=False))
    await chains.complete(request, first, TRUST, 0.0)

    assert not chains.lacks(request, [], 1.0)


async def test_an_address_that_was_not_seen_brings_its_chain_with_its_second_answer() -> None:
    chains = Chains()
    await _seen(chains, A, 1, 0.0)
    assert not chains.lacks(REQUEST, [A, B], 1.0), "it may go to the first one"

    unexpected = await _answered(chains, B, None, 1.0)

    assert unexpected.certificate is None, "that of another address is not its own"
    assert chains.lacks(REQUEST, [A, B], 2.0)
    await _seen(chains, B, 2, 2.0)
    assert not chains.lacks(REQUEST, [A, B], 3.0)


async def test_a_failure_that_began_after_the_handshake_shows_the_certificate() -> None:
    chains = Chains()
    await _seen(chains, A, 1, 0.0)

    waited = (0.0, 0.1, 0.1, 5.0, 0.0)
    late = await _answered(chains, A, None, 1.0, failure=Reason.TIMEOUT, phases=waited)
    early = await _answered(chains, A, None, 1.0, failure=Reason.CONNECT)

    assert late.certificate == Certificate(expiry=1, verified=False)
    assert early.certificate is None


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    chains = Chains()
    for number in range(5):
        await _seen(chains, f"192.0.2.{number}", number, 0.0)

    asked = [chains.lacks(REQUEST, [f"192.0.2.{number}"], 1.0) for number in range(5)]

    assert asked == [True, True, False, False, False]


async def test_a_certificate_that_is_shown_was_seen_within_ten_minutes() -> None:
    """Two addresses exchange their certificates at any time; a probe goes to either."""
    dice = random.Random(20)
    for _ in range(50):
        chains, now, shown = Chains(), 0.0, {A: [(0.0, 0)], B: [(0.0, 1)]}
        for number in range(2, 80):
            now += dice.choice((1.0, 30.0, 300.0, 599.0, 700.0))
            if dice.random() < 0.2:
                shown[dice.choice((A, B))].append((now, number))
            place = dice.choice((A, B))
            if chains.lacks(REQUEST, dice.choice(([A, B], [B, A])), now):
                got = await _seen(chains, place, shown[place][-1][1], now)
            else:
                got = await _answered(chains, place, None, now)
            until = [began for began, _ in shown[place][1:]] + [now + 1]
            lately = {n for (_, n), end in zip(shown[place], until, strict=True) if end > now - 600}
            assert got.certificate is None or got.certificate.expiry in lately


# -- with libcurl ----------------------------------------------------------------------------------


async def test_libcurl_describes_a_chain_once(
    tls_vendor: Vendor, authority: Authority, transport: CurlTransport
) -> None:
    tls_vendor.on("/", answer())
    request = make_request(tls_vendor.url(), tls=authority.trusted())

    first, second = [await transport.fetch(request) for _ in (1, 2)]

    assert first.chain
    assert not second.chain
    assert first.certificate == second.certificate
    assert second.phases[2] > 0, "a handshake all the same"


@pytest.mark.parametrize("max_age", [MAX_AGE_SECONDS, 0.0])
async def test_another_certificate_is_noticed_when_the_chain_is_old(
    authority: Authority, max_age: float
) -> None:
    context = issued(authority.ca, "127.0.0.1", not_after=TOMORROW)
    transport = CurlTransport(chains=Chains(max_age))
    async with Vendor(context) as vendor:
        vendor.on("/", answer())
        request = make_request(vendor.url(), tls=authority.trusted())
        await transport.fetch(request)
        later = TOMORROW + timedelta(days=30)
        authority.ca.issue_cert("127.0.0.1", not_after=later).configure_cert(context)

        got = await transport.fetch(request)

    await transport.close()
    assert got.certificate is not None
    assert got.certificate.expiry == (TOMORROW if max_age else later).timestamp()


async def test_a_known_chain_is_verified_on_every_connection(
    authority: Authority, transport: CurlTransport
) -> None:
    context = issued(authority.ca, "127.0.0.1", not_after=TOMORROW)
    async with Vendor(context) as vendor:
        vendor.on("/", answer())
        request = make_request(vendor.url(), tls=authority.trusted())
        assert (await transport.fetch(request)).failure is None

        authority.ca.issue_cert("127.0.0.1", not_after=LONG_AGO).configure_cert(context)
        expired = await transport.fetch(request)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        foreign = await transport.fetch(request)

    assert (expired.failure, expired.detail) == (Reason.TLS, "the certificate has expired")
    assert expired.certificate is not None
    assert expired.certificate.expiry == LONG_AGO.timestamp()
    assert foreign.failure is Reason.TLS


async def test_after_a_failure_the_chain_is_asked_for(
    authority: Authority, transport: CurlTransport
) -> None:
    async with Vendor(issued(authority.ca, "127.0.0.1", not_after=TOMORROW)) as vendor:
        request = make_request(vendor.url(), tls=authority.trusted())
        vendor.on("/", answer())
        good = await transport.fetch(request)

        vendor.on("/", reset)
        bad = await transport.fetch(request)
        vendor.on("/", answer())
        again = await transport.fetch(request)

    assert (good.failure, again.failure) == (None, None)
    assert bad.failure is not None
    assert again.chain == good.chain != ()

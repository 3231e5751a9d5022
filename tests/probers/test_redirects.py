"""One policy for redirects: the same table through both probers, and what goes along."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from exporter.checks import TlsSettings
from exporter.model import Reason
from exporter.multitarget import Check, MultiTargetProber
from exporter.probers import Answer, Endpoint, Request
from exporter.probers.kinds.http import HttpProber
from exporter.probers.redirects import origin, redirect_target
from exporter.secret import Secret
from tests.fakes import KEY, FakeClock, make_endpoint

HOME = "https://api.example/v1"


@dataclass
class Sky:
    """A transport without a network: redirects along *way*, then answers 200."""

    way: list[tuple[int, str]]
    requests: list[Request] = field(default_factory=list)

    async def fetch(self, request: Request) -> Answer:
        self.requests.append(request)
        if not self.way:
            return Answer(status=200)
        status, location = self.way.pop(0)
        return Answer(status=status, headers={"location": location})


def endpoint(**changes: object) -> Endpoint:
    usual = {"follow_redirects": 5, "allow_cross_origin": True}
    return make_endpoint(HOME, **(usual | changes))


async def services_reason(sky: Sky, target: Endpoint) -> Reason:
    return (await HttpProber(sky, FakeClock()).probe(target)).reason


async def targets_reason(sky: Sky, target: Endpoint) -> Reason:
    prober = MultiTargetProber(sky, FakeClock())
    return (await prober.probe(Check(endpoint=target))).reason


PROBERS = pytest.mark.parametrize("reason_of", [services_reason, targets_reason])


@PROBERS
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/v2", "https://api.example/v2"),
        ("?page=2", "https://api.example/v1?page=2"),
        ("https://API.example:443/v2#top", "https://api.example:443/v2"),
        ("//other.example/", "https://other.example/"),
        ("/a b|c", "https://api.example/a%20b%7Cc"),
        ("//bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://other.example/", "https://other.example/"),
    ],
)
async def test_a_redirect_to_an_address_is_followed(
    reason_of: object, status: int, location: str, target: str
) -> None:
    sky = Sky([(status, location)])

    assert await reason_of(sky, endpoint()) is Reason.OK  # type: ignore[operator]
    assert [request.url for request in sky.requests] == [HOME, target]


@PROBERS
@pytest.mark.parametrize(
    "location",
    [
        "http://api.example/v1",
        "http://other.example/",
        "ftp://api.example/",
        "file:///etc/passwd",
        "javascript:0",
        "https://user@api.example/",
        "https://user:password@api.example/",
        "https://[::1",
        "https://api.example:99999/",
        "https://a b.example/",
        "https://é%.example/",
        "https://other.example\\@api.example/",
        "/a\x7fb",
    ],
)
async def test_a_redirect_that_nobody_may_follow_ends_the_probe(
    reason_of: object, location: str
) -> None:
    sky = Sky([(302, location)])

    assert await reason_of(sky, endpoint()) is Reason.REDIRECT_REFUSED  # type: ignore[operator]
    assert len(sky.requests) == 1


@PROBERS
async def test_from_http_to_https_is_followed(reason_of: object) -> None:
    sky = Sky([(301, "https://api.example/v1")])

    target = make_endpoint("http://api.example/v1", follow_redirects=1, allow_cross_origin=True)

    assert await reason_of(sky, target) is Reason.OK  # type: ignore[operator]


@PROBERS
async def test_another_origin_learns_nothing_and_the_way_back_brings_nothing(
    reason_of: object,
) -> None:
    sky = Sky([(307, "https://other.example/"), (307, HOME + "/again")])
    target = endpoint(
        method="POST",
        body=KEY.encode(),
        credentials=(("X-Api-Key", Secret(KEY)),),
        headers=(("User-Agent", "agent"), ("X-Preset", "1")),
        tls=TlsSettings(cert_file="/c", key_file="/k", server_name="n"),
    )

    await reason_of(sky, target)  # type: ignore[operator]

    first, *others = sky.requests
    assert dict(first.headers) == {"User-Agent": "agent", "X-Preset": "1", "X-Api-Key": KEY}
    for request in others:
        assert request.headers == (("User-Agent", "agent"),)
        assert (request.body, request.tls.cert_file, request.tls.server_name) == (None, None, None)


@PROBERS
@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        (301, "GET", None),
        (302, "GET", None),
        (303, "GET", None),
        (307, "POST", b"x"),
        (308, "POST", b"x"),
    ],
)
async def test_only_307_and_308_repeat_a_request_with_its_body(
    reason_of: object, status: int, method: str, body: bytes | None
) -> None:
    sky = Sky([(status, "/v2")])

    await reason_of(sky, endpoint(method="POST", body=b"x"))  # type: ignore[operator]

    assert (sky.requests[1].method, sky.requests[1].body) == (method, body)


@pytest.mark.parametrize(
    ("status", "headers"), [(200, {"location": "/x"}), (304, {"location": "/x"}), (302, {})]
)
def test_what_is_no_redirect_leads_nowhere(status: int, headers: dict[str, str]) -> None:
    assert redirect_target(HOME, Answer(status=status, headers=headers)) is None


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://api.example", True),
        ("HTTPS://API.EXAMPLE:443/x", True),
        ("https://api.example:8443", False),
        ("http://api.example:443", False),
        ("https://api.example.", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, same: bool) -> None:
    assert (origin(url) == origin(HOME)) is same

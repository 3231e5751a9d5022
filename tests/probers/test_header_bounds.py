"""Texts in the head of an answer: each is measured before it is parsed."""

from __future__ import annotations

import contextlib
import ssl
import time

import pytest

from exporter.characters import oversized_url
from exporter.multitarget.modules import CheckError, _target
from exporter.probers import Answer
from exporter.probers.charsets import text_of
from exporter.probers.cookies import Cookies
from exporter.probers.curl.certificates import chain_of
from exporter.probers.redirects import origin, redirect_target
from exporter.probers.urls import normalized
from exporter.probers.x509 import distinguished_name
from exporter.readings.reading import GENERIC
from exporter.settings import url
from tests.steps import steps_of

HERE = "https://api.example.com/a"
MARKS = "a" + "\u0316\u0301" * 8_000
"""In the part of a URL with the host it takes seconds: NFKC sorts the marks, one by one."""


def redirect(location: str) -> str | None:
    sent = location.encode().decode("latin-1")
    return redirect_target(HERE, Answer(status=302, headers={"location": sent}))


@pytest.mark.parametrize("form", ["https://{}", "//{}", "https://{}/path", "https://{}?q"])
@pytest.mark.parametrize("name", ["a" * 600, MARKS, "ä." * 300, "1:" * 300, "@" * 600])
def test_a_redirect_to_a_long_host_is_not_even_parsed(form: str, name: str) -> None:
    location = form.format(name)

    # a parser would call some hundred functions, or normalize the host in one long call
    assert oversized_url(location)
    assert steps_of(lambda: redirect(location)) < 30
    assert not redirect(location)


@pytest.mark.parametrize(
    "location", ["/" + "a" * 8_192, "https://b.example/" + "a/" * 5_000, "/\t/b"]
)
def test_a_redirect_to_a_long_address_or_with_a_tab_is_not_followed(location: str) -> None:
    assert redirect(location) == ""


def test_what_vendors_send_is_followed() -> None:
    assert redirect("/b?" + "q" * 4_000) == "https://api.example.com/b?" + "q" * 4_000
    assert redirect("https://" + "a" * 60 + ".example.com/b") is not None


@pytest.mark.parametrize("text", [f"https://{MARKS}.example", "https://a.example/" + "a" * 8_192])
def test_no_url_of_that_size_is_taken_anywhere(text: str) -> None:
    assert normalized(text) == text
    with pytest.raises(ValueError, match="too long"):
        origin(text)
    with pytest.raises(ValueError):
        url(text)
    with pytest.raises(CheckError, match="not an http or https URL"):
        _target(text)


LONG = 60_000


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "1" * LONG},
        {"retry-after": "Fri, 27 Nov 2026 " + "1 " * LONG},
        {"x-ratelimit-reset": "Mon" + " 1" * LONG},
        {"x-ratelimit-remaining": "9" * LONG},
        {"ratelimit": "a;r=1;t=1," * (LONG // 10), "ratelimit-policy": '"b";q=1,' * (LONG // 8)},
        {"x-request-id": "a" * LONG},
    ],
    ids=" ".join,
)
def test_only_the_beginning_of_a_header_is_read(headers: dict[str, str]) -> None:
    short = {name: value[:1024] for name, value in headers.items()}

    def steps(given: dict[str, str]) -> int:
        return steps_of(lambda: GENERIC.read(429, given, lambda: None, 0.0))

    assert GENERIC.read(429, headers, lambda: None, 0.0) == GENERIC.read(
        429, short, lambda: None, 0.0
    )
    assert steps(headers) < 2 * steps(short)


def test_a_cookie_of_any_length_takes_few_steps() -> None:
    for line in ("a=b; expires=" + "1 " * LONG, "a=b" + "; x=y" * 5, "a=" + "b" * LONG):
        keep = Cookies().keep
        assert steps_of(lambda: keep(("https", "a", 443), HERE, [line], 0.0)) < 200  # noqa: B023


def test_the_name_in_a_certificate_has_no_long_numbers() -> None:
    def der(tag: int, content: bytes) -> bytes:
        size = len(content).to_bytes(3)
        return bytes((tag, 0x83)) + size + content

    def name(oid: bytes) -> bytes:
        return der(0x31, der(0x30, der(0x06, oid) + der(0x0C, b"x")))

    def steps(oid: bytes) -> int:
        def read() -> None:
            with contextlib.suppress(ValueError):
                distinguished_name(name(oid))

        return steps_of(read)

    assert distinguished_name(name(b"\x55\x04\x03")) == "CN=x"
    assert distinguished_name(name(b"\x2a" + b"\x81" * 60 + b"\x01"))
    assert steps(b"\x2a" + b"\x81" * 90_000 + b"\x01") < 50
    with pytest.raises(ValueError, match="too long"):
        distinguished_name(name(b"\x2a" + b"\x81" * 400 + b"\x01"))


def test_sixteen_certificates_of_a_chain_are_read() -> None:
    sent = [(("Cert", ssl.DER_cert_to_PEM_cert(bytes((n,)))),) for n in range(40)]

    assert chain_of(sent) == tuple(bytes((n,)) for n in range(16))


def test_a_page_that_names_no_charset_in_many_tags_is_read_as_soon_as_another() -> None:
    def least(page: bytes) -> float:
        """Return the least CPU seconds of several looks; the first one makes tables."""
        took = []
        for _ in range(5):
            begun = time.process_time()
            text_of(page, "text/html")
            took.append(time.process_time() - begun)
        return min(took)

    # one look at it took a backtracking engine as long as thousands at the other
    endless, plain = b"<meta " * 33 + b"charset=" + b" " * 818, b"<meta charset=a>" * 64

    assert least(endless) < 100 * least(plain)

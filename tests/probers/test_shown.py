"""The curl line that a person sees: complete, and without anything secret."""

from __future__ import annotations

import base64
import shlex
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.checks import TlsSettings
from exporter.probers import command_line
from exporter.secret import Secret
from tests.fakes import KEY, make_endpoint

URL = "https://api.example.com/v1?page=1"
START = "curl -sS -i --max-time 2"
HEADERS = "-H 'User-Agent: test' -H 'Accept: */*'"
SHOWN = "https://api.example.com/v1"
SECRET = (("X-Key", Secret(KEY)),)
LINES: list[tuple[dict[str, Any], str]] = [
    ({}, f"{START} {HEADERS} {SHOWN}"),
    ({"timeout": 0.25}, f"curl -sS -i --max-time 0.25 {HEADERS} {SHOWN}"),
    ({"method": "HEAD"}, f"{START} --head {HEADERS} {SHOWN}"),
    ({"method": "DELETE"}, f"{START} -X DELETE {HEADERS} {SHOWN}"),
    ({"method": "POST"}, f"{START} -X POST {HEADERS} {SHOWN}"),
    ({"method": "POST", "body": b"b"}, f"{START} {HEADERS} --data-binary '…' {SHOWN}"),
    ({"method": "GET", "body": b""}, f"{START} -X GET {HEADERS} --data-binary '…' {SHOWN}"),
    ({"headers": (("A", "it's"),)}, f"{START} -H 'A: it'\"'\"'s' {SHOWN}"),
    ({"credentials": SECRET}, f"{START} {HEADERS} -H 'X-Key: sk-…leak' {SHOWN}"),
    ({"query": (("key", Secret(KEY)),)}, f"{START} {HEADERS} '{SHOWN}?key=sk-…leak'"),
    ({"query": (("a", Secret("b")), ("c", Secret("d")))}, f"{START} {HEADERS} '{SHOWN}?a=…&c=…'"),
    ({"proxy": f"http://me:{KEY}@p.example:1"}, f"{START} {HEADERS} --proxy '…' {SHOWN}"),
    (
        {"tls": TlsSettings(ca_file="/c a", cert_file="/c", key_file="/k")},
        f"{START} {HEADERS} --cacert '/c a' --cert /c --key /k {SHOWN}",
    ),
    ({"tls": TlsSettings(insecure_skip_verify=True)}, f"{START} {HEADERS} --insecure {SHOWN}"),
]


@pytest.mark.parametrize(("changes", "line"), LINES)
def test_an_endpoint_is_shown_as_the_command_a_person_would_type(
    changes: dict[str, Any], line: str
) -> None:
    assert command_line(make_endpoint(URL, **changes)) == line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"Bearer {KEY}", "Bearer sk-…leak"),
        (f"bearer {KEY}", "bearer sk-…leak"),
        (f"Token {KEY}", "Token sk-…leak"),
        (KEY, "sk-…leak"),
        ("short-key-1", "…"),
        ("Bearer short-key-1", "Bearer …"),
        ("Klaviyo-API-Key abcd", "… …"),
        ("Token token=abcd12345", "Token … …"),
        (f"Custom {KEY}", "… sk-…leak"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic …"),
        ("basic dXNlcjpwYXNzd29yZA==", "Basic …"),
        ("dXNlcjpwYXNzd29yZA==", "dXN…ZA=="),
        ("", "…"),
    ],
)
def test_of_a_value_only_a_known_scheme_and_the_ends_of_a_long_key_are_shown(
    value: str, shown: str
) -> None:
    assert Secret(value).masked_header() == shown


PREFIXES = ["", "Bearer ", "bearer ", "Token ", "Api-Key ", "Token token=", "key:"]
LETTERS = string.ascii_letters + string.digits + "-_./+$%&'\"\\"


def line_with(key: str, prefix: str) -> str:
    """Return the line of an endpoint that holds *key* everywhere a key can be."""
    pair = base64.b64encode(f"user:{key}".encode()).decode()
    endpoint = make_endpoint(
        f"{URL}&key={key}",
        method="POST",
        credentials=(
            ("Authorization", Secret(prefix + key)),
            ("Proxy-Authorization", Secret(f"Basic {pair}")),
            ("X-Own", Secret(key)),
        ),
        query=(("api_secret", Secret(key)),),
        body=f'{{"key": "{key}"}}'.encode(),
        proxy=f"http://user:{key}@proxy.example:3128",
        tls=TlsSettings(ca_file="/ca.pem", cert_file="/c.pem", key_file="/k.pem"),
    )
    return command_line(endpoint)


@given(key=st.text(LETTERS, min_size=12, max_size=80), prefix=st.sampled_from(PREFIXES))
def test_only_the_ends_of_a_long_key_make_a_difference(key: str, prefix: str) -> None:
    other = f"{key[:3]}{'x' * 20}{key[-4:]}"

    assert line_with(key, prefix) == line_with(other, prefix)


@given(key=st.text(LETTERS, min_size=1, max_size=11), prefix=st.sampled_from(PREFIXES))
def test_a_short_key_makes_no_difference_at_all(key: str, prefix: str) -> None:
    assert line_with(key, prefix) == line_with("another", prefix)


@given(key=st.text(st.characters(codec="utf-8"), min_size=12, max_size=60).map("\N{SNOWMAN}".join))
def test_whatever_its_characters_no_key_is_shown_whole(key: str) -> None:
    for prefix in PREFIXES:
        assert key not in " ".join(shlex.split(line_with(key, prefix)))

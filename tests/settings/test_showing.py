"""What may be shown follows from the type; what no type allows is hidden."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import pytest

from exporter.config import Canary, Monitoring, Service
from exporter.multitarget import Module
from exporter.secret import Secret
from exporter.settings import (
    AddressText,
    Duration,
    ExpressionText,
    OpenText,
    PublicText,
    Ratio,
    SecretData,
    Showing,
    Timestamp,
    Url,
    build,
    option,
    secrets_in,
    showing_of,
    shown,
    shown_address,
    shown_expression,
    shown_prose,
    split_secrets,
)
from exporter.settings.declare import hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A mapping inside."""

    token: Secret | None = option(None, "A secret.")
    free: str = option("", "A text of which nobody has said who may read it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """Every kind of field."""

    name: PublicText = option("", "A name.")
    inner: Inner = option(doc="Inside.", factory=Inner)
    listed: tuple[Inner, ...] = option((), "A list.")
    headers: dict[str, Secret] = option(doc="Values are secret.", factory=dict)
    body: SecretData = option(None, "Anything.")


RAW = {
    "name": "n",
    "inner": {"token": "s-inner", "free": "f"},
    "listed": [{"token": "s-listed"}],
    "headers": {"X-A": "s-header"},
    "body": {"deep": ["s-body"]},
}


@pytest.mark.parametrize(
    ("tp", "showing"),
    [
        (str, Showing.PRIVATE),
        (str | None, Showing.PRIVATE),
        (Any, Showing.PRIVATE),
        (int | str, Showing.PRIVATE),
        (Secret, Showing.SECRET),
        (SecretData, Showing.SECRET),
        (bool, Showing.PUBLIC),
        (int | None, Showing.PUBLIC),
        (float, Showing.PUBLIC),
        (Duration, Showing.PUBLIC),
        (Ratio | None, Showing.PUBLIC),
        (Timestamp, Showing.PUBLIC),
        (Literal["a", "b"], Showing.PUBLIC),
        (PublicText | None, Showing.PUBLIC),
        (OpenText, Showing.OPEN),
        (ExpressionText, Showing.EXPRESSION),
        (AddressText, Showing.ADDRESS),
        (Url, Showing.ADDRESS),
    ],
)
def test_a_type_says_who_may_read_it(tp: Any, showing: Showing) -> None:
    assert showing_of(tp) is showing


def test_what_no_type_allows_is_hidden_however_deep() -> None:
    assert shown(Outer, RAW, lambda path: False) == {
        "name": "n",
        "inner": {"token": "…", "free": "…"},
        "listed": [{"token": "…"}],
        "headers": {"X-A": "…"},
        "body": "…",
    }


def test_secrets_are_split_off_and_nothing_else() -> None:
    plain, secret = split_secrets(Outer, {**RAW, "listed": []})

    assert plain == {"name": "n", "inner": {"free": "f"}, "listed": []}
    assert secret == {name: RAW[name] for name in ("headers", "body")} | {
        "inner": {"token": "s-inner"}
    }


def test_every_secret_of_an_instance_is_found() -> None:
    found = {secret.reveal() for secret in secrets_in(build(Outer, RAW))}

    assert found == {"s-inner", "s-listed", "s-header"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("$.a.b", "$.a.b"),
        ("$['a']['b']", "$['…']['…']"),
        (r"$[?@.k == 'it\'s'].x", "$[?@.k == '…'].x"),
        ('$[?@.k == "a\'b"]', '$[?@.k == "…"]'),
        ("$.a[?@.pin==123456]", "$.a[?@.pin==…]"),
        ("$.a[?-12.5e3 < @.b2 && @.c2 == @.d[1]][0]", "$.a[?… < @.b2 && @.c2 == @.d[1]][0]"),
    ],
)
def test_an_expression_is_shown_without_its_quoted_texts(text: str, left: str) -> None:
    assert shown_expression(text) == left


SHOWN_KEY = "sk-live-0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "left"),
    [
        ("https://x.example/v1?key=1#a", "https://x.example/v1"),
        (f"https://x.example/hook/{SHOWN_KEY}/send", "https://x.example/hook/…/send"),
        ("/services/T024F/B03/Xq7W9xZ2mK4vT8nB1cD5e", "/services/T024F/B03/…"),
        ("https://x.example/v1/models", "https://x.example/v1/models"),
    ],
)
def test_an_address_is_shown_without_query_and_without_keys_in_its_path(
    url: str, left: str
) -> None:
    assert shown_address(url) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("call ada", "call ada"),
        (f"the key is {SHOWN_KEY}, not this", "the key is …, not this"),
        (f"key:{SHOWN_KEY}", "…"),
        (f"token={SHOWN_KEY}", "token=…"),
        (
            "https://n.example/Run-8f3cA1b9d4E5f60718?id=7",
            "https://n.example/Run-8f3cA1b9d4E5f60718?id=7",
        ),
        ("see https://n.example/a?x=1&token=abc now", "see https://n.example/a?x=1&token=… now"),
        (f"https://n.example/a?x={SHOWN_KEY}", "https://n.example/a?x=…"),
        ("https://ada:pw@n.example/a", "https://n.example/a"),
    ],
)
def test_a_text_for_people_is_shown_without_keys_and_links_stay(text: str, left: str) -> None:
    assert shown_prose(text) == left


def declared_fields(cls: Any) -> dict[str, Any]:
    """Return the types of all fields of *cls* and inside it, by dotted name."""
    found: dict[str, Any] = {}
    for field in fields(cls):
        tp = hints(cls)[field.name]
        inner = next((a for a in (tp, *getattr(tp, "__args__", ())) if is_dataclass(a)), None)
        if inner is None:
            found[f"{cls.__name__}.{field.name}"] = tp
        else:
            found |= declared_fields(inner)
    return found


@pytest.mark.parametrize("cls", [Service, Canary, Monitoring, Module])
def test_what_is_named_like_a_secret_is_not_shown(cls: Any) -> None:
    for name, tp in declared_fields(cls).items():
        last = name.rpartition(".")[2]
        if last in ("api_key", "api_key_next", "password", "credentials", "bearer_token"):
            assert showing_of(tp) is Showing.SECRET, name
        if last in ("username", "regexp", "api_key_prefix") or last.endswith("_file"):
            assert showing_of(tp) is Showing.PRIVATE, name

"""One event per line, in two styles, without secrets and without a way to forge a line."""

from __future__ import annotations

import io
import json
import logging
import shlex
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.log import Format, Redaction, configure, event
from exporter.secret import Secret

KEY = "sk-sentinel-0123456789"
STYLES: list[Format] = ["logfmt", "json"]
styles = pytest.mark.parametrize("style", STYLES)
Make = Callable[..., "Log"]


class Log:
    """A configured log whose lines can be read."""

    def __init__(self, style: Format, level: int = logging.INFO) -> None:
        self.redaction: Redaction = configure(style, level)
        self._out = io.StringIO()
        handler = cast("logging.StreamHandler[io.StringIO]", logging.getLogger().handlers[0])
        handler.setStream(self._out)

    @property
    def text(self) -> str:
        return self._out.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@pytest.fixture
def make() -> Iterator[Make]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield Log
    root.handlers[:], level = before
    root.setLevel(level)
    for noisy in ("aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.NOTSET)


def write(message: str = "state changed", **fields: Any) -> None:
    event(logging.getLogger("exporter.test"), message, **fields)


def pairs(line: str) -> dict[str, str]:
    """Return the fields of a logfmt *line* whose values hold no escapes."""
    return dict(word.split("=", 1) for word in shlex.split(line))


def test_a_logfmt_line_has_time_level_logger_message_and_fields(make: Make) -> None:
    written = make("logfmt")

    write(service="openai", attempts=3, ok=True)

    (line,) = written.lines
    found = pairs(line)
    assert found.pop("ts").endswith("Z")
    assert found == {
        "level": "info",
        "logger": "exporter.test",
        "msg": "state changed",
        "service": "openai",
        "attempts": "3",
        "ok": "True",
    }


def test_a_json_line_keeps_numbers_and_booleans(make: Make) -> None:
    written = make("json")

    write(service="openai", attempts=3, ok=True, share=0.5, nothing=None, path=Secret("x"))

    (line,) = written.lines
    found = json.loads(line)
    assert found.pop("ts").endswith("Z")
    assert found == {
        "level": "info",
        "logger": "exporter.test",
        "msg": "state changed",
        "service": "openai",
        "attempts": 3,
        "ok": True,
        "share": 0.5,
        "nothing": None,
        "path": "…",
    }


def test_json_lines_are_json_even_for_numbers_that_are_none(make: Make) -> None:
    written = make("json")

    write(a=float("nan"), b=float("inf"))

    found = json.loads(written.text, parse_constant=pytest.fail)
    assert (found["a"], found["b"]) == ("nan", "inf")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("http_200-ok/x.y:z", "http_200-ok/x.y:z"),
        ("grün", "grün"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "x"', r'"say \"x\""'),
        ("back\\slash", r'"back\\slash"'),
        ("a\nb", r'"a\nb"'),
        ("a\r\x00\x7f", r'"a\r\u0000\u007f"'),
        ("a\u2028b\x85c", r'"a\u2028b\u0085c"'),
        ("\x1b[31mred", r'"\u001b[31mred"'),
    ],
)
def test_a_value_is_quoted_where_it_must_be(make: Make, value: str, shown: str) -> None:
    written = make("logfmt")

    write(detail=value)

    assert written.text.endswith(f" detail={shown}\n")


@styles
@given(message=st.text(), value=st.text(st.characters(exclude_categories=[])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_text_can_make_a_second_line(
    make: Make, style: Format, message: str, value: str
) -> None:
    written = make(style)

    write(message.replace("%", "%%"), detail=value, level_of=value)

    assert len(written.lines) == 1
    assert written.text.endswith("\n")


SECRETS = {
    "plain": KEY,
    "quote": 'pa"ss\\word"12',
    "space": "correct horse battery",
    "not ascii": "pässwörd-пароль",
    "equals": "YWxhZGRpbjpvcGVu==",
}


@styles
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_known_secret_is_struck_out_wherever_it_stands(
    make: Make, style: Format, secret: str
) -> None:
    written = make(style)
    written.redaction.replace([Secret(secret)])

    write(
        f"sent {secret}", detail=f"x{secret}y", nested={"key": [secret]}, error=ValueError(secret)
    )

    text = written.text
    for shape in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        assert shape not in text
    if style == "json":
        assert json.loads(text)["msg"] == "sent …"


def test_a_secret_that_is_a_number_is_struck_out(make: Make) -> None:
    written = make("json")
    written.redaction.replace([Secret("1234567890")])

    write(number=1234567890)

    assert json.loads(written.text)["number"] == "…"


class Looked(str):
    """A text that counts how often a piece of it is looked at."""

    pieces = 0

    def __getitem__(self, key: object) -> str:
        Looked.pieces += 1
        return super().__getitem__(key)  # type: ignore[index]


def test_a_text_is_searched_once_for_the_same_secrets() -> None:
    redaction, text = Redaction(), Looked("CN=api.example, O=sk-live-0123456789")

    assert not redaction.holds(text)
    first = Looked.pieces
    assert not redaction.holds(text)
    assert Looked.pieces == first > 0


def test_a_secret_that_becomes_known_is_found_in_what_was_searched_before() -> None:
    redaction, text = Redaction(), "CN=api.example, O=sk-live-0123456789"
    assert not redaction.holds(text)

    redaction.replace([Secret("sk-live-0123456789")])
    assert redaction.holds(text)

    redaction.replace([])
    assert not redaction.holds(text)


def test_a_secret_that_begins_with_another_leaves_no_rest() -> None:
    redaction = Redaction()
    redaction.replace(
        [Secret("sk-prefix"), Secret("sk-prefix-and-rest"), Secret("Bearer sk-prefix")]
    )

    shown = redaction("sk-prefix-and-rest Bearer sk-prefix")

    assert shown == "… …"


def test_short_values_are_no_secrets_and_former_ones_are_forgotten() -> None:
    redaction = Redaction()
    redaction.replace([Secret(KEY), Secret("test")])
    first = redaction(f"a test of {KEY}")

    redaction.replace([])

    assert first == "a test of …"
    assert redaction(KEY) == KEY


@styles
def test_a_traceback_names_places_and_not_the_text(make: Make, style: Format) -> None:
    written = make(style)

    try:
        raise ValueError(f"bad header {KEY}\nsecond line") from OSError(KEY)
    except ValueError:
        logging.getLogger("exporter.test").exception("bug in a prober")

    (line,) = written.lines
    assert "ValueError at " in line
    assert "test_log.py:" in line
    assert KEY not in line
    assert "second line" not in line
    assert "level=error" in line or json.loads(line)["level"] == "error"


@styles
def test_an_exception_logged_where_there_is_none_does_no_harm(make: Make, style: Format) -> None:
    written = make(style)

    logging.getLogger("exporter.test").error("nothing", exc_info=(None, None, None))

    assert len(written.lines) == 1


def test_messages_of_libraries_are_in_the_same_style(make: Make) -> None:
    written = make("json")

    logging.getLogger("library").warning("%s of %d", "one", 2)

    assert json.loads(written.text)["msg"] == "one of 2"


def test_the_level_and_the_noisy_libraries_are_held_down(make: Make) -> None:
    written = make("logfmt", logging.INFO)

    write("repeat", level=logging.DEBUG)
    logging.getLogger("aiohttp.access").info("GET /")
    logging.getLogger("asyncio").info("using uvloop")
    write("change")

    assert [pairs(line)["msg"] for line in written.lines] == ["change"]


def test_configuring_twice_writes_no_line_twice(make: Make) -> None:
    make("logfmt")
    written = make("logfmt")

    write()

    assert len(written.lines) == 1

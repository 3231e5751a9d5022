"""The head of an answer: headers by name, what is repeated, what came before."""

from __future__ import annotations

from exporter.probers.curl.heads import head_of

STATUS = b"HTTP/1.1 200 OK\r\n"


def test_of_two_answers_the_last_one_counts() -> None:
    lines = [b"HTTP/1.1 103 Early Hints\r\n", b"Link: a\r\n", b"\r\n", STATUS, b"Server: b\r\n"]

    assert head_of(lines) == ({"server": "b"}, {}, True)


def test_values_of_a_list_are_joined_and_of_another_header_the_first_one_counts() -> None:
    fields = [b"Vary: a\r\n", b"Age: 1\r\n", b"VARY : b\r\n", b"Date: x\r\n", b"Date: y\r\n"]

    headers, repeated, _ = head_of([STATUS, *fields, b"vary: c\r\n"])

    assert headers == {"vary": "a, b, c", "age": "1", "date": "x"}
    assert repeated == {"vary": ("a", "b", "c"), "date": ("x", "y")}


def test_a_line_is_read_alike_however_often_and_however_long() -> None:
    lines = [
        STATUS,
        b"X-A: " + b"\xe9" * 200 + b"\r\n",
        b"X-B:" + b"b" * 4000 + b"\r\n",
        b"odd\r\n",
    ]

    first, second = head_of(lines), head_of(lines)

    assert first == second == ({"x-a": "\xe9" * 200, "x-b": "b" * 4000}, {}, True)
    assert first[0] is not second[0]


def test_a_version_that_does_not_exist_is_seen_in_any_of_the_answers() -> None:
    good, odd = b"HTTP/2 200\r\n", b"HTTP/4 200\r\n"

    verdicts = [head_of(lines)[2] for lines in ([good], [odd], [odd, good], [good, odd], [])]

    assert verdicts == [True, False, False, False, True]

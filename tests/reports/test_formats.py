"""Every format of a report: nothing that others write becomes markup, a link or a formula."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from exporter.characters import plain
from exporter.reports import FORMATS, POLICY, FailedRequest
from exporter.reports.markdown import escaped
from exporter.reports.spreadsheet import COLUMNS, cell
from exporter.reports.webpage import STYLE
from exporter.reports.words import count, moment, percent, span
from exporter.statuspages import StatusPage
from tests.fakes import service_target
from tests.reports.hostile import ATTACKS, START, report

OURS = {
    *("html", "head", "meta", "title", "style", "body", "main", "article", "h1", "h2", "p"),
    *("section", "dl", "dt", "dd", "div", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("a", "footer"),
}
SOURCE = "https://vendor.example/sla?a=1&b=<2>"


class Reader(HTMLParser):
    """The elements, links and texts of a page, as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_has_our_elements_only(attack: str) -> None:
    page = Reader(FORMATS["html"].render([report(attack)]))

    assert set(page.elements) <= OURS
    assert page.elements == Reader(FORMATS["html"].render([report("plain")])).elements
    names = {name for name, _ in page.attributes}
    assert names <= {
        *("lang", "charset", "name", "content", "http-equiv", "class", "role", "aria-label"),
        *("tabindex", "scope", "href", "rel"),
    }
    assert [value for name, value in page.attributes if name == "href"] == [SOURCE]


def test_a_page_is_one_file_that_loads_nothing_and_can_be_read_aloud() -> None:
    text = FORMATS["html"].render([report()])
    page = Reader(text)

    assert "script" not in page.elements
    assert f"<style>{STYLE}</style>" in text
    assert "@media print" in STYLE
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "sha256-" in POLICY
    assert "'unsafe-inline'" not in POLICY
    assert ("lang", "en") in page.attributes
    assert page.elements.count("caption") == page.elements.count("table") >= 3
    assert page.elements.count("h1") == 1


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_format_holds_what_a_terminal_or_a_reader_acts_on(attack: str) -> None:
    for name in ("text", "markdown", "html", "csv"):
        text = FORMATS[name].render([report(attack)])

        assert not {c for c in text if c < " " and c not in "\r\n\t"}, name
        assert not {"\u202e", "\u2066"} & set(text), name
        text.encode()  # no lone surrogate


@pytest.mark.parametrize("attack", ATTACKS)
def test_markdown_shows_a_text_as_it_is(attack: str) -> None:
    tokens = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .parse(FORMATS["markdown"].render([report(attack)]))
    )
    usual = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .parse(FORMATS["markdown"].render([report("plain")]))
    )

    assert [t.type for t in tokens] == [t.type for t in usual]
    kinds = {child.type for t in tokens for child in t.children or ()}
    assert kinds <= {"text", "softbreak", "link_open", "link_close", "text_special"}
    links = [c.attrs["href"] for t in tokens for c in t.children or () if c.type == "link_open"]
    assert links == ["https://vendor.example/sla?a=1&b=2"]


@settings(max_examples=150)
@given(st.text(max_size=40))
def test_escaped_markdown_is_one_paragraph_of_the_same_text(text: str) -> None:
    shown = escaped(text)
    tokens = MarkdownIt("commonmark").enable("strikethrough").parse(shown)

    assert [t.type for t in tokens] == (
        ["paragraph_open", "inline", "paragraph_close"] if shown else []
    )
    if shown:
        found = "".join(child.content for child in tokens[1].children or ())
        assert "".join(found.split()) == "".join(plain(text).split())


def test_an_address_in_markdown_is_no_link_on_github() -> None:
    shown = escaped("see https://evil.example and www.evil.example, @team")

    assert "https://" not in shown
    assert "www." not in shown
    assert " @" not in shown


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_cell_is_a_formula(attack: str) -> None:
    rows = list(csv.reader(io.StringIO(FORMATS["csv"].render([report(attack)]))))

    assert rows[0] == list(COLUMNS)
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert not [one for row in rows for one in row if one[:1] in "=+-@\t\r\uff1d" and one]


@given(st.text(max_size=20))
def test_a_cell_is_one_line_and_begins_harmlessly(text: str) -> None:
    shown = cell(text)

    assert not {"\n", "\r", "\t"} & set(shown)
    assert not shown.startswith(("=", "+", "-", "@", "|", "%"))


def test_numbers_are_numbers_in_a_spreadsheet() -> None:
    rows = csv.DictReader(io.StringIO(FORMATS["csv"].render([report()])))
    (summary,) = [row for row in rows if row["record"] == "summary"]

    assert float(summary["value"]) == pytest.approx(1 - 30 / 1440)
    assert summary["minutes"] == "1440"


def test_every_format_has_what_a_ticket_needs() -> None:
    found = report("req-4711")
    for name, form in FORMATS.items():
        text = form.render([found])
        for fact in ("req-4711", "2026-10-01", "500"):
            assert fact in text.replace("\\", ""), (name, fact)


def test_what_was_answered_is_told_once_with_how_often_and_from_where() -> None:
    failures = [
        FailedRequest(
            at=(START + 100 + number) * 60.0,
            reason="server_error",
            status=500,
            request_id=f"req_{number:04}",
            address=f"192.0.2.{number % 2}",
            answer=f'{{"error":"no capacity (req_{number:04})"}}',
        )
        for number in range(20)
    ]
    failures += [
        FailedRequest(at=(START + 200 + n) * 60.0, reason="bad_body", status=200 + n, answer="x")
        for n in range(12)
    ]

    found = report(failures=failures)
    text = " ".join(FORMATS["text"].render([found]).split())
    page = " ".join(Reader(FORMATS["html"].render([found])).texts)

    once = '{"error":"no capacity (…)"}'
    assert text.count(once) == page.count(once) == 1
    assert f"Answer: {once}; Status: 500; Seen: 20 times" in text
    assert "First (UTC): 2026-10-01 01:40:00; Last (UTC): 2026-10-01 01:59:00" in text
    assert "From: 192.0.2.0, 192.0.2.1" in text
    assert "the 10 most frequent of 13" in page
    assert "no capacity (req_0007)" in FORMATS["json"].render([found])
    assert "no capacity (req_0007)" in FORMATS["csv"].render([found])


def test_minutes_are_not_told_as_requests() -> None:
    text = " ".join(FORMATS["text"].render([report()]).split())

    assert "What failed: server error in 30 minutes; Status codes: 500 in 30 minutes" in text


def test_the_time_of_a_request_has_its_seconds_even_if_there_are_none() -> None:
    assert "2026-10-01 01:41:00" in FORMATS["text"].render([report()])


def test_the_page_of_the_vendor_is_linked() -> None:
    page = StatusPage(url="https://status.vendor.example", confidence="doc")
    found = report(target=replace(service_target("api"), status_page=page))

    assert '<a href="https://status.vendor.example" rel="noreferrer">' in FORMATS["html"].render(
        [found]
    )


def test_several_reports_are_one_file() -> None:
    two = [report("one"), report("two")]

    assert FORMATS["html"].render(two).count("<article>") == 2
    assert len(json.loads(FORMATS["json"].render(two))["reports"]) == 2
    assert FORMATS["csv"].render(two).count("record") == 1
    assert FORMATS["text"].render(two).count("Availability of") == 2
    assert FORMATS["markdown"].render(two).count("\n# ") == 1


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (1.0, "100 %"),
        (0.9999999, "99.9999 %"),
        (0.9995, "99.95 %"),
        (0.999, "99.9 %"),
        (0.0, "0 %"),
        (None, "not known"),
    ],
)
def test_a_share_is_never_rounded_up(share: float | None, shown: str) -> None:
    assert percent(share) == shown


def test_words_of_numbers() -> None:
    assert (count(1, "minute"), count(1234.5, "minute")) == ("1 minute", "1,234.5 minutes")
    assert (span(3905), span(0.2), span(None)) == ("1 h 5 min 5 s", "0 s", "–")
    assert moment("2026-11-01T02:11:07Z") == "2026-11-01 02:11:07"


@pytest.mark.parametrize(
    ("windows", "words"),
    [(1, "down once, for 9 minutes:"), (2, "down 2 times, for 9 minutes in all:")],
)
def test_how_long_it_was_down_is_said_in_plain_english(windows: int, words: str) -> None:
    made = report()
    made["windows"], made["windows_left_out"] = made["windows"][:1], windows - 1
    made["minutes"] = {**made["minutes"], "failing": 9}

    assert f"was {words} available in " in FORMATS["text"].render([made])

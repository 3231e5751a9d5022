"""The end of an API or a model in an answer: Deprecation, Sunset, Link, and lists of models.

RFC 9745 (Deprecation, 2025) and RFC 8594 (Sunset, 2019) are seldom followed to the letter: also
accepted are `true`, a date with a wrong weekday or none, a Unix time without its `@`,
`version="1.2"` and plain words. What cannot be read is left out; nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from exporter.matching import UnsearchableError, json_values
from exporter.retirement import API, EARLIEST, LATEST, Notice, Retirement
from exporter.settings import PublicText, option

HEADERS = frozenset({"deprecation", "sunset"})
MOST_TEXT = 512
"""Characters of a header that are read."""
_MOST_LINK_TEXT, _MOST_LINKS, _MOST_ADDRESS = 8192, 32, 512
_RELATIONS = ("deprecation", "sunset", "successor-version")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
_ZONE = r"(?: ?(?P<zone>[+-]\d{2}:?\d{2}))?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        # ISO 8601; a space for the T is common
        rf"(?<!\d)(?P<year>\d{{4}})([-/])(?P<number>\d{{2}})\2(?P<day>\d{{2}})(?!\d)"
        rf"(?:[T ]{_TIME}(?:\.\d{{1,9}})?{_ZONE})?",
        # an HTTP-date, whatever its weekday: `01 Feb 2020 00:00:00 GMT`, `01-Feb-20`
        rf"(?<!\d){_DAY}[ -]{_NAME}[ ,-]{{1,2}}(?P<year>\d{{4}}|\d{{2}})(?!\d)"
        rf"(?:[ T,]{{1,2}}{_TIME}{_ZONE})?",
        # words: September 15, 2025
        rf"\b{_NAME} {_DAY},? (?P<year>\d{{4}})(?!\d)",
        # asctime
        rf"\b{_NAME} {{1,2}}(?P<day>\d{{1,2}}) {_TIME} (?P<year>\d{{4}})(?!\d)",
    )
)
_UNIX = re.compile(r"@?(-?\d{9,13})(?:\.\d{1,9})?", re.ASCII)
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_RELATION = re.compile(
    r"""; {0,8}rel {0,8}= {0,8}(?:"([^"]{0,256})"|([^\s",;]{1,64}))""", re.IGNORECASE
)
_OFF = re.compile(
    r"\b(?:remov|shut|retir|sunset|discontinu|switch|turned off|end[- ]of[- ]life)", re.IGNORECASE
)
_GONE = re.compile(r"deprecat", re.IGNORECASE)
_NOT = frozenset({"-", "false", "?0", "0", "none", "null", "no", "never", "undefined", "n/a"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Where an answer lists the models that there are."""

    entries: str = option(doc="JSONPath to the entries: `$.data[*]`.")
    id: PublicText = option("id", "The member of an entry that is the model's id.")
    prefix: PublicText = option("", "What comes before an id and is not part of it.")
    aliases: PublicText = option("", "The member with a list of further names of the model.")
    more: str = option("", "JSONPath to what shows that there is a further page.")
    deprecated: tuple[PublicText, ...] = option(
        (), "Members that say since when it is deprecated, or `true`; dots go into objects."
    )
    sunset: tuple[PublicText, ...] = option((), "Members with the day of its end.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirementReadings:
    """What is read of retirement, besides the headers of the two standards."""

    subject: str = API
    """The resource that the headers of an answer are about."""
    warnings: tuple[str, ...] = ()
    """Headers, in lower case, in which the provider announces an end in words."""
    listing: Listing | None = None
    models: tuple[str, ...] = ()
    """The models that are looked for in the list."""
    version_header: str = ""
    version: str = ""
    """What that header should say."""

    def read(
        self, status: int, headers: Mapping[str, str], json: Callable[[], Any]
    ) -> Retirement | None:
        """Return what an answer says; None if that is nothing. *headers* have lower-case names."""
        notices: dict[str, Notice] = {}
        if (notice := self._in_headers(headers)) is not None:
            notices[self.subject] = notice
        listed = None
        if self.listing is not None:
            found = _in_list(self.listing, self.models, json) if 200 <= status < 300 else {}
            listed = {model: there for model, (there, _) in found.items()}
            notices |= {model: said for model, (_, said) in found.items() if said is not None}
        served = headers.get(self.version_header) if self.version_header else None
        is_served = None if not served else served.strip() == self.version
        if not notices and listed is None and is_served is None:
            return None
        return Retirement(notices=notices, listed=listed, is_version_served=is_served)

    def _in_headers(self, headers: Mapping[str, str]) -> Notice | None:
        notice = standard_notice(headers)
        for name in self.warnings:
            if (text := headers.get(name)) and (said := warning_notice(text)) is not None:
                notice = _both(notice, said)
        return notice


PLAIN = RetirementReadings()
"""Reads the headers of the two standards, of the API itself."""


def _both(one: Notice | None, other: Notice) -> Notice:
    """Return *one* with what only *other* says."""
    if one is None:
        return other
    return replace(
        one,
        deprecated=one.deprecated or other.deprecated,
        deprecated_at=other.deprecated_at if one.deprecated_at is None else one.deprecated_at,
        sunset_at=other.sunset_at if one.sunset_at is None else one.sunset_at,
    )


# -- headers ---------------------------------------------------------------------------------------


def standard_notice(headers: Mapping[str, str]) -> Notice | None:
    """Return what Deprecation, Sunset and their Link say; None without the first two.

    >>> standard_notice({"deprecation": "@1688169599"}).deprecated_at
    1688169599.0
    """
    if HEADERS.isdisjoint(headers):
        return None
    said = headers.get("deprecation", "")[:MOST_TEXT].strip()
    word = said.partition(";")[0].strip(" \"'").lower()
    deprecated = bool(said) and word not in _NOT
    sunset_at = date_in(headers.get("sunset", ""))
    if not deprecated and sunset_at is None:
        return None
    return Notice(
        deprecated=deprecated,
        deprecated_at=date_in(said) if deprecated else None,
        sunset_at=sunset_at,
        links=links_in(headers.get("link", "")),
    )


def warning_notice(text: str) -> Notice | None:
    """Return what a warning in words announces; None if it is about something else."""
    text = text[:MOST_TEXT]
    ends = _OFF.search(text) is not None
    if not ends and _GONE.search(text) is None:
        return None
    at = date_in(text)
    return Notice(
        deprecated=True,
        deprecated_at=None if ends else at,
        sunset_at=at if ends else None,
    )


def date_in(text: str) -> float | None:
    """Return the Unix time of the first date in *text*; None without one that is sane.

    A day without a time is its beginning in UTC. A weekday is not looked at: it may be wrong.

    >>> date_in("Fri, 11 Nov 2020 00:00:00 GMT")
    1605052800.0
    """
    text = text[:MOST_TEXT].strip().strip('"')
    if (plain := _UNIX.fullmatch(text.partition(";")[0].strip())) is not None:
        return sane(float(plain[1]))
    for form in _DATES:
        if (found := form.search(text)) is not None:
            return _time_of(found.groupdict())
    return None


def sane(at: float) -> float | None:
    """Return the Unix time *at*, also one in milliseconds, if it is from 2000 to 2100."""
    at = at / 1000 if at > 1e11 else at
    return at if EARLIEST <= at <= LATEST else None


def _time_of(found: Mapping[str, str | None]) -> float | None:
    year = int(found["year"] or 0)
    name = (found.get("month") or "").lower()
    month = _MONTHS.index(name) + 1 if name else int(found["number"] or 0)
    hour, minute, second = (int(found.get(part) or 0) for part in ("hour", "minute", "second"))
    try:
        at = datetime(
            year if year > 99 else (2000 if year < 70 else 1900) + year,
            month,
            int(found["day"] or 0),
            hour,
            minute,
            min(second, 59),  # a leap second
            tzinfo=UTC,
        ).timestamp()
    except (ValueError, OverflowError):
        return None
    return sane(at - _offset(found.get("zone")))


def _offset(zone: str | None) -> float:
    if not zone:
        return 0.0
    seconds = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return float(-seconds if zone[0] == "-" else seconds)


def links_in(text: str) -> tuple[tuple[str, str], ...]:
    """Return the first http(s) address of each relation that is about retirement (RFC 8288)."""
    found: dict[str, str] = {}
    for number, link in enumerate(_LINK.finditer(text[:_MOST_LINK_TEXT])):
        if number == _MOST_LINKS:
            break
        address, relation = link[1].strip(), _RELATION.search(f";{link[2]}")
        if relation is None or not _is_shown(address):
            continue
        for name in (relation[1] or relation[2] or "").lower().split():
            if name in _RELATIONS:
                found.setdefault(name, address)
    return tuple(found.items())


def _is_shown(address: str) -> bool:
    plain = address.isascii() and address.isprintable() and " " not in address
    return (
        plain
        and len(address) <= _MOST_ADDRESS
        and address.lower().startswith(("https://", "http://"))
        and "@" not in address
    )


# -- lists -----------------------------------------------------------------------------------------

_Found = dict[str, tuple[bool, Notice | None]]


def _in_list(listing: Listing, models: Iterable[str], json: Callable[[], Any]) -> _Found:
    """Return whether each of *models* is listed, and what its entry says of its end.

    One that is not on this page of several is left out. An answer without a single model is no
    list: then it is empty.
    """
    try:
        entries = json_values(listing.entries, json())
        further = bool(listing.more) and any(json_values(listing.more, json()))
    except UnsearchableError:
        return {}
    wanted = {model.removeprefix(listing.prefix): model for model in models}
    found: _Found = {}
    is_list = False
    for entry in entries:
        for name in _names(listing, entry):
            is_list = True
            if (model := wanted.get(name)) is not None:
                found[model] = (True, _entry_notice(listing, entry))
    if not is_list:
        return {}
    if not further:
        found |= {model: (False, None) for model in wanted.values() if model not in found}
    return found


def _names(listing: Listing, entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        return
    aliases = entry.get(listing.aliases) if listing.aliases else None
    for name in (entry.get(listing.id), *(aliases if isinstance(aliases, list) else ())):
        if isinstance(name, str) and name:
            yield name.removeprefix(listing.prefix)


def _entry_notice(listing: Listing, entry: dict[str, Any]) -> Notice | None:
    since = next(_members(entry, listing.deprecated), None)
    deprecated = since is not None and str(since).strip().lower() not in _NOT
    deprecated_at = value_date(since) if deprecated else None
    sunset_at = next(filter(None, map(value_date, _members(entry, listing.sunset))), None)
    if not deprecated and sunset_at is None:
        return None
    return Notice(deprecated=deprecated, deprecated_at=deprecated_at, sunset_at=sunset_at)


def value_date(value: Any) -> float | None:
    """Return the Unix time of *value* of JSON: a number of seconds or milliseconds, or a text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return date_in(value)
    if isinstance(value, (int, float)) and abs(value) < 1e15:
        return sane(float(value))
    return None


def _members(entry: dict[str, Any], names: Iterable[str]) -> Iterator[Any]:
    """Yield what *entry* has at each of *names*, unless it is null."""
    for name in names:
        value: Any = entry
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            yield value

"""What is kept of an answer that failed: headers of a list, what assertions found, an excerpt.

The texts are the server's. They are read by `echoes` for secrets of ours before they are cut, and
are bounded; bytes that are no text are described, not shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from exporter.characters import printable
from exporter.checks import Assertion, Shape
from exporter.evidence import (
    MAX_EXCERPT_BYTES,
    MAX_FOUND,
    MAX_HEADERS,
    MAX_VALUE_BYTES,
    NONE,
    Evidence,
)
from exporter.matching import is_json
from exporter.model import Outcome, Reason
from exporter.probers.answerer import Answerer, attribute, may_be_a_page
from exporter.probers.echoes import Holds, cut, is_in, struck
from exporter.probers.endpoint import Endpoint
from exporter.probers.judging import found_by, subject_of
from exporter.probers.transport import Answer
from exporter.readings import REQUEST_ID_HEADERS
from exporter.secret import HIDDEN, names_secret

_HEADERS = frozenset({"date", "server", "via", "retry-after", "retry-after-ms", "cf-ray"})
_LIMITS = re.compile(r"rate-?limit")
_NAME = re.compile(r"[a-z0-9-]{1,64}")
_NEVER = frozenset({"set-cookie", "authorization", "location"})
_ERROR_MEMBERS = ("error", "errors", "message", "detail", "title", "code", "type", "request_id")
"""Where APIs without a declared shape put their errors (RFC 9457 has detail, title and type)."""
_MOST_TEXT, _MOST_MEMBERS, _DEEPEST = 2 * MAX_EXCERPT_BYTES, 20, 6
_MOST_PAGE = 16 * 1024
_TAG = re.compile(r"<[^<>]*>")
_MEDIA_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}")
Json = Callable[[], Any]


def evidence_of(endpoint: Endpoint, answer: Answer, parsed: Json, holds: Holds) -> Evidence:
    """Return what is kept of the failed *answer*; *holds* finds secrets of ours in a text."""
    version, cipher = answer.session
    return Evidence(
        answerer=_answerer(endpoint, answer, parsed),
        tls_version=version,
        cipher=cipher,
        headers=_clean(list(_headers(endpoint, answer))[:MAX_HEADERS], holds),
        found=_clean(list(_found(endpoint, answer, parsed)), holds),
        excerpt=_excerpt(endpoint, answer, parsed, holds),
    )


def shown_evidence(outcome: Outcome) -> dict[str, Any]:
    """Return what the API and the command line show of the evidence of *outcome*."""
    kept, certificate = outcome.evidence or NONE, outcome.certificate
    tls = None
    if certificate is not None or kept.tls_version:
        tls = {
            "version": kept.tls_version or None,
            "cipher": kept.cipher or None,
            "issuer": certificate.issuer if certificate else None,
            "subject": certificate.subject if certificate else None,
            "expiry": certificate.expiry if certificate else None,
            "verified": certificate.verified if certificate else None,
        }
    return {
        "answerer": kept.answerer or None,
        "network": kept.network or None,
        "tls": tls,
        "headers": dict(kept.headers),
        "found": [{"assertion": about, "value": value} for about, value in kept.found],
        "excerpt": kept.excerpt or None,
    }


def _answerer(endpoint: Endpoint, answer: Answer, parsed: Json) -> str:
    if answer.failure is Reason.INTERCEPTED:
        return Answerer.OURS
    if answer.failure is not None:
        return ""
    expected = answer.status in endpoint.expect.statuses
    if expected and not may_be_a_page(answer):
        return Answerer.API
    return attribute(answer, parsed(), endpoint.expect.shape, expected=expected).answerer


def _clean(pairs: list[tuple[str, str]], holds: Holds) -> tuple[tuple[str, str], ...]:
    """Return *pairs* with the secrets in them struck out; none if one is spread over several."""
    if not is_in(_joined(pairs), holds):
        return tuple((name, cut(text, MAX_VALUE_BYTES)) for name, text in pairs)
    kept = [
        (name, struck(text, holds, MAX_VALUE_BYTES))
        for name, text in pairs
        if not is_in(name, holds)
    ]
    return () if is_in(_joined(kept), holds) else tuple(kept)


def _joined(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(f"{name}: {text[: 2 * MAX_VALUE_BYTES]}" for name, text in pairs)


# -- headers -----------------------------------------------------------------------------------


def _headers(endpoint: Endpoint, answer: Answer) -> Iterator[tuple[str, str]]:
    readings = endpoint.readings
    own = {*readings.request_id, *(limit.header for limit in readings.headers)}
    wanted = (_HEADERS | own | set(REQUEST_ID_HEADERS)) - _NEVER
    for name, value in answer.headers.items():
        if _NAME.fullmatch(name) and (name in wanted or _LIMITS.search(name)):
            yield name, _line(value[: 4 * MAX_VALUE_BYTES])


def _line(text: str) -> str:
    return " ".join(printable(text, " ").split())


# -- assertions --------------------------------------------------------------------------------


def _found(endpoint: Endpoint, answer: Answer, parsed: Json) -> Iterator[tuple[str, str]]:
    if answer.failure is not None or answer.status not in endpoint.expect.statuses:
        return
    for assertion, values in found_by(endpoint.expect, answer, parsed, MAX_FOUND):
        if assertion.header is None and not endpoint.excerpt:
            continue
        yield subject_of(assertion)[:MAX_VALUE_BYTES], _shown(assertion, values, answer)


def _shown(assertion: Assertion, values: list[Any], answer: Answer) -> str:
    if assertion.body:
        return f"{len(answer.body)} bytes"  # its text is the excerpt, where that may be shown
    if not values:
        return "nothing"
    last = re.split(r"[.\[\]'\"]+", (assertion.json or assertion.header or "").rstrip("]'\""))[-1]
    if names_secret(last):
        return HIDDEN
    return _line(", ".join(_written(value) for value in values[:3]))


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value[:_MOST_TEXT]
    return json.dumps(_bounded(value), ensure_ascii=False, separators=(",", ":"))


# -- the body ----------------------------------------------------------------------------------


def _excerpt(endpoint: Endpoint, answer: Answer, parsed: Json, holds: Holds) -> str:
    if not endpoint.excerpt or not answer.body or answer.status < 300:
        return ""
    data = parsed()
    if is_json(data):
        text = _written(_error_in(data, endpoint.expect.shape))
    elif _is_binary(text := answer.text()[:_MOST_PAGE]):
        return _described(answer, holds)
    else:
        text = _without_tags(text)
    return struck(_line(text[: 4 * _MOST_TEXT]), holds, MAX_EXCERPT_BYTES)


def _error_in(data: Any, shape: Shape) -> Any:
    """Return the members of *data* that tell of the error; all of it if there are none."""
    one = data[0] if isinstance(data, list) and data else data
    if not isinstance(one, dict):
        return data
    names = dict.fromkeys((*shape.error, *_ERROR_MEMBERS))
    return {name: one[name] for name in names if one.get(name) not in (None, "", [], {})} or data


def _bounded(value: Any, depth: int = 0) -> Any:
    """Return *value* small enough to be written, without the texts that are named as a secret."""
    if isinstance(value, str):
        return value[:_MOST_TEXT]
    if depth > _DEEPEST and isinstance(value, (dict, list)):
        return HIDDEN
    if isinstance(value, list):
        return [_bounded(item, depth + 1) for item in value[:_MOST_MEMBERS]]
    if isinstance(value, dict):
        return {
            name[:MAX_VALUE_BYTES]: HIDDEN
            if isinstance(item, str) and names_secret(name)
            else _bounded(item, depth + 1)
            for name, item in list(value.items())[:_MOST_MEMBERS]
        }
    return value


def _is_binary(text: str) -> bool:
    sample = text[:MAX_EXCERPT_BYTES]
    bad = sum(char == "\ufffd" or (char < " " and char not in "\t\n\r\f") for char in sample)
    return bad * 10 > len(sample)


def _described(answer: Answer, holds: Holds) -> str:
    declared = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    known = _MEDIA_TYPE.fullmatch(declared) and not is_in(declared, holds)
    size = f"{'more than ' if answer.truncated else ''}{len(answer.body):,} bytes"
    return f"({declared if known else 'binary data'}, {size})"


def _without_tags(text: str) -> str:
    """Return the text of a page, its scripts and styles left out."""
    for name in ("script", "style"):
        parts = re.split(rf"(?i)<{name}\b", text)
        text = parts[0] + "".join(
            re.split(rf"(?i)</{name}\s{{0,9}}>", part, maxsplit=1)[-1] for part in parts[1:]
        )
    return _TAG.sub(" ", text) if "<" in text else text

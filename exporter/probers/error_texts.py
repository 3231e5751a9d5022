"""What the words of an error say, for any API: the last resort behind a provider's own table.

Vendors change codes more often than words: "insufficient credit", "has been suspended", "has
expired" mean the same at all of them. A kind counts only with statuses under which such words are
an error of that kind, and only texts at the usual members of an error are read, never a whole page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import re2

from exporter.matching import is_json
from exporter.model import Reason
from exporter.probers.error_kinds import KINDS

_MEMBERS = (
    "error",
    "errors",
    "message",
    "msg",
    "detail",
    "details",
    "error_description",
    "error_message",
    "title",
    "description",
    "reason",
    "code",
    "type",
    "status",
    "name",
    "category",
    "__type",
    "errorCode",
    "errorSummary",
    "Code",
    "Message",
    "Error",
    "fault",
    "faultstring",
    "errorcode",
    "extensions",
    "error_code",
    "error_type",
    "error_summary",
    "errorMessage",
    "ErrorMessage",
    ".tag",
)
_CODE = re2.compile(r"(?:^|>)\s*([A-Za-z_]{4,80})\s*(?:<|$)")
_CATEGORY = re2.compile(r"(?i)error$")
_HUMP = re2.compile(r"([a-z])([A-Z])|_")
_CHALLENGE = re2.compile(r'(?i)\berror(?:_description)?\s*=\s*(?:"([^"]{1,500})"|([\w-]{1,80}))')
_MAX_DEPTH, _MAX_TEXTS, _MAX_CHARACTERS = 4, 24, 4096


# "Key", "token" and "location" that are no credential and no place: those of a page, of a prompt,
# of a parser, of a field's name. They are taken out before anything else is looked for.
_NOT_MEANT = re2.compile(
    r"(?i)\b(?:next|prev|page|pagination|paging|cursor|continuation|sync|device|registration|push|"
    r"card|payment|checkout|confirmation|upload|download|csrf|xsrf|idempotency|sort|partition|primary|foreign|unique|object|json|"
    r"max|min|input|output|prompt|completion|context|reset|invite|[\d,]+)[_ -]*"
    r"(?:page[_ -]?)?(?:key|token)s?\b"
    r"|\b(?:invalid|unexpected|unknown|bad|illegal) (?:token|key)s?:? ?"
    r"(?:['\"`<{}\[\]]|(?:at|near|on|in) (?:line|position|offset|index|column|json))"
    r"|\btoken (?:id|count|limit|name|index|length)s?\b"
    r"|['\"`](?:location|region|country|territory)['\"`]"
    r"|\b(?:field|parameter|property|argument) (?:location|region|country|territory)\b"
    r"|\bbilling[_ ](?:address|details?\.\w|email|country|zip)"
    r"|\btoo many requests in (?:a |the |this |one )?batch"
)


def classified(status: int, json: Any, plain: str = "") -> Reason | None:
    """Return the reason that the words of an error with *status* name; None if they name none.

    *json* is the parsed body or NO_JSON; then *plain* is the body's own text if it is short.

    >>> classified(403, {"error": {"message": "Your account was suspended."}})
    <Reason.ACCOUNT_DISABLED: 'account_disabled'>
    """
    text = error_text(json) if is_json(json) else _with_words(plain[:_MAX_CHARACTERS])
    text = _NOT_MEANT.sub(" ", text.encode("utf-8", "replace").decode())
    if not text.strip():
        return None
    for kind in KINDS:
        if kind.fits(status, text):
            return kind.reason
    return None


def error_text(json: Any) -> str:
    """Return the texts at the usual members of an error, a line each, at most 4,096 characters.

    Each ends like a sentence: words of one text and of the next say nothing together, such as
    "8192 tokens" in a message and "invalid_request_error" as its type.
    """
    found: list[str] = []
    for text in _texts(json, 0):
        found.append(_with_words(text[:1024]))
        if len(found) >= _MAX_TEXTS:
            break
    return ".;\n".join(found)[:_MAX_CHARACTERS]


def _texts(json: Any, depth: int) -> Iterator[str]:
    if isinstance(json, str):
        yield json
    elif depth >= _MAX_DEPTH:
        return
    elif isinstance(json, list):
        for item in json[:8]:
            yield from _texts(item, depth + 1)
    elif isinstance(json, dict):
        for name in _MEMBERS:
            if name in json:
                yield from _texts(json[name], depth + 1)


def _with_words(text: str) -> str:
    """Return *text* and its codes as words: quotaExceeded and quota_exceeded are "quota exceeded".

    A code is alone in its text, or in an element of XML; authentication_error is a category, which
    stands beside a code that says more.
    """
    codes = [c for c in _CODE.findall(text) if _HUMP.search(c) and not _CATEGORY.search(c)]
    return ".;\n".join([text, *(_HUMP.sub(r"\1 \2", code) for code in codes[:8])])


def challenge_text(challenge: str) -> str:
    """Return what a WWW-Authenticate header says of an error (RFC 6750, 3), a sentence each.

    >>> challenge_text('Bearer error="invalid_token", error_description="The token expired"')
    'invalid_token.;\\nThe token expired'
    """
    found = _CHALLENGE.findall(challenge[:_MAX_CHARACTERS])
    return ".;\n".join(quoted or bare for quoted, bare in found)

"""Who answered: the provider's API, its edge (CDN, firewall), or somebody on our side.

Asked before the provider's own table: a page of Cloudflare or of a company's proxy is never the
provider's word about a key. What is known about an edge or a proxy comes from its vendor's
documentation (Cloudflare's "1xxx errors" and "5xx errors" pages, AWS WAF's challenge action,
CloudFront's and Akamai's error pages, RFC 6585 for 511, RFC 9110 for 407) and is matched on
headers first, for a body may quote anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from exporter.checks import Shape
from exporter.matching import is_json, pattern_matches
from exporter.model import Reason
from exporter.probers.error_texts import error_text
from exporter.probers.transport import Answer


class Answerer(StrEnum):
    """Who wrote an answer."""

    API = "api"
    EDGE = "edge"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who wrote an answer, and what follows if it was not the API."""

    answerer: Answerer
    reason: Reason = Reason.OK
    detail: str = ""


_API = Attribution(Answerer.API)
_TITLE = re.compile(r"(?i)<title[^>]{0,100}>[^<]{0,200}")
_TEXT_BYTES = 16 * 1024
"""So much of a page is looked at: titles and error numbers are at its beginning."""


def attribute(answer: Answer, json: Any, shape: Shape, *, expected: bool = False) -> Attribution:
    """Return who wrote a complete *answer*; *json* is its parsed body or NO_JSON.

    *expected*: its status means success. Then a page of an API that may send pages is asked for its
    title only, for its text may be about proxies and their errors.
    """
    page = _page(answer) if not is_json(json) else ""
    if expected and shape.content == "any":
        page = "".join(_TITLE.findall(page)[:1])
    if found := _ours(answer, page):
        return Attribution(Answerer.OURS, Reason.INTERCEPTED, found)
    if number := _cloudflare_problem(json):
        detail = f"Cloudflare in front of the API: error {number}"
        return Attribution(Answerer.EDGE, _CLOUDFLARE[number], detail)
    if who := _firewall_json(json):
        detail = f"{who} in front of the API blocks us (status {answer.status})"
        return Attribution(Answerer.EDGE, Reason.IP_BLOCKED, detail)
    if is_json(json) and _has_error(json, shape):
        return _API
    if found_reason := _edge(answer, page):
        return Attribution(Answerer.EDGE, *found_reason)
    if is_json(json):
        return _API  # JSON is no page, even if it is declared as HTML
    if shape.content == "json" and _is_page(answer, page) and not _has_own_header(answer, shape):
        return Attribution(Answerer.EDGE, *_by_status(answer, page))
    return _API


def may_be_a_page(answer: Answer) -> bool:
    """Return whether the body may be an HTML page; cheap, as good answers are asked too."""
    kind = answer.headers.get("content-type", "")
    return "html" in kind or answer.body[:64].lstrip()[:1] == b"<"


def error_member(json: Any, shape: Shape) -> Any:
    """Return the error in a body that has one, None if it has none; `false` and "" are none."""
    if not isinstance(json, dict):
        return None
    for name in shape.error:
        if json.get(name):
            return {name: json[name]}
    return None


_ASKS = (
    r"(?i)missing|subscription key|required|provide|no (?:api[- _]?key|token|credential|auth)"
    r"|not (?:provided|logged)|must (?:be|include|have|use|supply)|unauthori[sz]ed|unauthenticated"
    r"|authenticat|log ?in|api[- _]?key|token|credential|bearer|not_authed|unregistered caller"
    r"|established identity"
)
_ASKS_FIRMLY = (
    r"(?i)api[- _]?key|access[- _]?token|bearer|credential|authenticat|unauthenticated"
    r"|unregistered caller|established identity|not_authed|authorization header"
)


def asks_for_key(answer: Answer, json: Any, shape: Shape) -> bool:
    """Return whether a 401 or 403 to a request without a key asks for one.

    A 401 does so by its WWW-Authenticate header (RFC 9110, 11.6.1 demands it) or by its words; a
    403 by words that name the key, for firewalls and filters answer 403 as well.
    """
    if answer.status == 401 and "www-authenticate" in answer.headers:
        return True
    if not is_json(json):
        text = "" if _is_page(answer, _page(answer)) else _page(answer)[:1024]
    else:
        text = error_text(json)
    wanted = _ASKS if answer.status == 401 else _ASKS_FIRMLY
    return pattern_matches(wanted, text) or (
        answer.status == 401 and _has_own_header(answer, shape)
    )


def _page(answer: Answer) -> str:
    return answer.body[:_TEXT_BYTES].decode("utf-8", "replace")


def _has_error(json: Any, shape: Shape) -> bool:
    """Return whether the body is an object with the error member of this API."""
    return isinstance(json, dict) and any(name in json for name in shape.error)


def _has_own_header(answer: Answer, shape: Shape) -> bool:
    return any(name in answer.headers for name in shape.headers)


def _is_page(answer: Answer, page: str) -> bool:
    """Return whether the body is an HTML page, by its declared type or by its beginning."""
    kind = answer.headers.get("content-type", "").lower()
    start = page.lstrip("\ufeff \t\r\n")[:15].lower()
    return "html" in kind or start.startswith(("<!doctype html", "<html", "<head", "<title"))


# -- somebody on our side --------------------------------------------------------------------------

# A header that only an outgoing proxy or filter adds -> its name. Values are patterns.
_PROXY_HEADERS: tuple[tuple[str, str, str], ...] = (
    ("server", r"(?i)^zscaler", "Zscaler"),
    ("server", r"(?i)^(?:mcafee web gateway|mwg)", "a McAfee web gateway"),
    ("server", r"(?i)cisco umbrella|opendns", "Cisco Umbrella"),
    ("server", r"(?i)^(?:bluecoat|symantec|proxysg)", "a Blue Coat proxy"),
    ("server", r"(?i)fortigate|fortiproxy|fortigard", "a FortiGate"),
    ("server", r"(?i)^netskope", "Netskope"),
    ("server", r"(?i)^(?:websense|forcepoint|content gateway)", "a Forcepoint gateway"),
    ("server", r"(?i)^squid", "a Squid proxy"),
    ("x-squid-error", r".", "a Squid proxy"),
    ("x-bluecoat-via", r".", "a Blue Coat proxy"),
    ("x-zscaler-transaction", r".", "Zscaler"),
    ("x-netskope-block", r".", "Netskope"),
    ("proxy-authenticate", r".", "a proxy"),
)
# What block pages and captive portals say of themselves, in their title or first lines.
_PROXY_PAGES = tuple(
    (f"(?i){pattern}", who)
    for pattern, who in (
        (r"internet security by zscaler|zscaler[^<]{0,40}(?:block|polic|notification)", "Zscaler"),
        (r"fortiguard|fortigate|web page blocked[^<]{0,80}forti", "a FortiGate"),
        (
            r"palo alto networks|url filtering[^<]{0,40}(?:block|polic)|web page blocked",
            "a firewall",
        ),
        (
            r"blocked by (?:your|the) (?:organi[sz]ation|administrator|company|network|it )",
            "a filter",
        ),
        (
            r"(?:site|page|access|website|category) (?:is |has been )?blocked[^<]{0,60}"
            r"(?:polic|filter)",
            "a filter",
        ),
        (
            r"netskope|forcepoint|websense|sophos (?:web|utm)|barracuda|cisco umbrella|opendns",
            "a filter",
        ),
        (
            r"mcafee|skyhigh|trellix|secure web gateway|usercheck|check point|sonicwall|watchguard|"
            r"smoothwall|securly|lightspeed|menlo security|cato networks|cloudflare gateway",
            "a filter",
        ),
        (
            r"policy_denied|content categori[sz]ation|system policy has denied|bluecoat|blue coat|"
            r"(?:url|site|page|website) (?:is |was )?blocked by (?:polic|category)|"
            r"(?:internet|web|acceptable) (?:usage|use|access) polic",
            "a filter",
        ),
        (
            r"<title>[^<]{0,60}captive portal|wi-?fi (?:login|log in|access)|hotspot log ?in",
            "a captive portal",
        ),
        (
            r"network authentication required|sign in to (?:the |this )?(?:network|wi-?fi)",
            "a captive portal",
        ),
        (r"generated [^<]{0,120}\(squid", "a Squid proxy"),
        (r"cache access denied|err_cache_access_denied|err_access_denied", "a Squid proxy"),
    )
)


def _ours(answer: Answer, page: str) -> str:
    """Return who on our side wrote the answer, empty if nobody did."""
    if answer.status == 407:
        return "our proxy asks for a login (407)"
    if answer.status == 511:
        return "our network asks for a login (511)"
    for name, pattern, who in _PROXY_HEADERS:
        value = answer.headers.get(name)
        if value is not None and pattern_matches(pattern, value[:256]):
            return f"{who} on our side answered with status {answer.status}"
    if page and _is_page(answer, page):
        for pattern, who in _PROXY_PAGES:
            if pattern_matches(pattern, page):
                return f"{who} on our side answered with status {answer.status}"
    return ""


# -- the provider's edge ---------------------------------------------------------------------------

# Cloudflare's 1xxx errors: developers.cloudflare.com/support/troubleshooting/http-status-codes/
_CLOUDFLARE = {
    **dict.fromkeys((1006, 1007, 1008, 1010, 1012, 1020, 1106), Reason.IP_BLOCKED),
    **dict.fromkeys((1005, 1011), Reason.IP_BLOCKED),
    **dict.fromkeys((1003, 1013), Reason.CLIENT_ERROR),  # a wrong host name in our request
    1009: Reason.REGION_BLOCKED,
    1015: Reason.RATE_LIMITED,
    1027: Reason.RATE_LIMITED,
    **dict.fromkeys((1000, 1001, 1002, 1004, 1014, 1016, 1018, 1019), Reason.SERVER_ERROR),
    **dict.fromkeys((1023, 1025, 1033, 1101, 1102, 1104, 1200), Reason.SERVER_ERROR),
}
_CLOUDFLARE_CODE = re.compile(r"(?i)\berror(?:\s+code)?:?\s*(1[0-2]\d\d)\b")
_CHALLENGE_HEADERS: tuple[tuple[str, str], ...] = (
    ("cf-mitigated", "Cloudflare"),
    ("x-amzn-waf-action", "AWS WAF"),
    ("x-vercel-mitigated", "Vercel's firewall"),
    ("x-sucuri-block", "Sucuri"),
    ("x-datadome", "DataDome"),
    ("x-ms-forbidden-ip", "Azure App Service"),
)
_FIREWALL_PAGES = tuple(
    (f"(?i){pattern}", reason, who)
    for pattern, reason, who in (
        (
            # GitHub, Wikimedia, the National Weather Service: our request lacks one.
            r"\b(?:has|have|set|provide|include|missing|valid|identify)\b[^<]{0,30}\buser-agent\b",
            Reason.CLIENT_ERROR,
            "The edge",
        ),
        (r"sorry, you have been blocked", Reason.IP_BLOCKED, "Cloudflare"),
        (
            r"<title>just a moment|checking your browser|attention required! \| cloudflare",
            Reason.IP_BLOCKED,
            "Cloudflare",
        ),
        (r"block access from your country", Reason.REGION_BLOCKED, "CloudFront"),
        (
            r"request blocked\.[^<]{0,400}|generated by cloudfront[^<]{0,40}",
            Reason.IP_BLOCKED,
            "CloudFront",
        ),
        (r"access denied[\s\S]{0,600}reference\s*(?:&#32;)?#", Reason.IP_BLOCKED, "Akamai"),
        (r"incapsula incident id|_incapsula_resource", Reason.IP_BLOCKED, "Imperva"),
        (
            r"the request is blocked[\s\S]{0,300}x-azure-ref|azure web application firewall",
            Reason.IP_BLOCKED,
            "Azure Front Door",
        ),
        (
            r"automated queries|unusual traffic from your computer network",
            Reason.IP_BLOCKED,
            "Google's edge",
        ),
        (r"requested url was rejected[\s\S]{0,200}support id", Reason.IP_BLOCKED, "an F5 firewall"),
        (
            r"captcha-delivery|px-captcha|datadome|access to this page has been denied",
            Reason.IP_BLOCKED,
            "a bot filter",
        ),
        (
            r"web application firewall|blocked by [^<]{0,30}(?:waf|firewall)|mod_security|"
            r"generated by wordfence|blocked by our security service",
            Reason.IP_BLOCKED,
            "a web firewall",
        ),
        (r"this web app is stopped", Reason.SERVER_ERROR, "Azure App Service"),
    )
)


def _edge(answer: Answer, page: str) -> tuple[Reason, str] | None:
    """Return the reason and a line for a page of a known edge, None if it is not one."""
    for name, who in _CHALLENGE_HEADERS:
        # Only Cloudflare's is never on an answer that its firewall let through; a challenge of
        # AWS WAF is a 202 (docs.aws.amazon.com/waf, "Challenge and CAPTCHA actions").
        if name in answer.headers and (
            answer.status >= 300 or answer.status == 202 or name == "cf-mitigated"
        ):
            return Reason.IP_BLOCKED, f"{who} in front of the API challenges or blocks us"
    if not page:
        return None
    is_cloudflare = "cf-ray" in answer.headers or "cloudflare" in (
        answer.headers.get("server", "").lower()
    )
    code = _CLOUDFLARE_CODE.search(page[:4096])
    if code and (is_cloudflare or _is_page(answer, page) or len(page) < 64):
        number = int(code.group(1))
        if number in _CLOUDFLARE:
            return _CLOUDFLARE[number], f"Cloudflare in front of the API: error {number}"
    if not _is_page(answer, page):
        return None
    if 520 <= answer.status <= 530:
        return Reason.SERVER_ERROR, f"the API behind Cloudflare does not answer ({answer.status})"
    for pattern, reason, who in _FIREWALL_PAGES:
        if who == "CloudFront" and answer.status >= 500:
            continue  # it could not reach the API
        if answer.status != 200 and pattern_matches(pattern, page):
            does = "does not reach it" if reason is Reason.SERVER_ERROR else "blocks us"
            return reason, f"{who} in front of the API {does} (status {answer.status})"
    return None


def _firewall_json(json: Any) -> str:
    """Return whose block, written as JSON for a client that asks for JSON; empty if it is none.

    HUMAN (PerimeterX) calls it Advanced Blocking Response; DataDome's is the address of its page.
    """
    if not isinstance(json, dict):
        return ""
    if "jsClientSrc" in json and str(json.get("appId", "")).startswith("PX"):
        return "HUMAN"
    return "DataDome" if "captcha-delivery.com/" in str(json.get("url", ""))[:256] else ""


def _cloudflare_problem(json: Any) -> int:
    """Return the number in Cloudflare's own error as JSON (RFC 9457), 0 in any other body."""
    if not isinstance(json, dict) or json.get("cloudflare_error") is not True:
        return 0
    number = json.get("error_code")
    return number if isinstance(number, int) and number in _CLOUDFLARE else 0


_MAINTENANCE = re.compile(r"(?i)\b(?:scheduled |planned |under |down for )?maintenance\b")


_RATE_WORDS = r"(?i)rate[- ]?limit|too many requests"


def _by_status(answer: Answer, page: str) -> tuple[Reason, str]:
    """Return the reason of an HTML page that is not the API's: its status is the edge's word."""
    status = answer.status
    detail = f"an HTML page with status {status} instead of the API's answer"
    if status == 403 and pattern_matches(_RATE_WORDS, page):
        reason = Reason.RATE_LIMITED
    elif status in (401, 403, 405, 406, 451):
        reason = Reason.REGION_BLOCKED if status == 451 else Reason.IP_BLOCKED
    elif status == 429:
        reason = Reason.RATE_LIMITED
    elif status in (404, 410):
        reason = Reason.CLIENT_ERROR
    elif status == 503:
        reason = Reason.MAINTENANCE if _MAINTENANCE.search(page) else Reason.OVERLOADED
    elif status == 529:
        reason = Reason.OVERLOADED
    elif status >= 500:
        reason = Reason.SERVER_ERROR
    elif 300 <= status < 400:
        reason = Reason.REDIRECT_REFUSED
    elif status >= 400:
        reason = Reason.CLIENT_ERROR
    else:
        reason = Reason.BAD_BODY
    return reason, detail

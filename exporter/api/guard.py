"""Runs around every handler: token checks, errors as problem+json, security headers.

Every row of the route table names its access. `RECEIVER` is for Alertmanager's webhook, which has
a token of its own that gives access to nothing else; the admin token is accepted there too.
`STATUS_PAGE` is for webhooks of status pages, which can send no header: its token may be in the
address, where proxies log it, and opens nothing but a look at the page.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from enum import Enum

from aiohttp import web

from exporter.api.bodies import ENCODINGS, BodyError, EncodingError
from exporter.api.guesses import GUESSES
from exporter.incidents import IncidentError, MessageError, UnknownIncidentError
from exporter.model import Reason
from exporter.registry import KeyRefusedError, ManagementError, UnknownServiceError
from exporter.secret import Secret
from exporter.settings import SettingsError
from exporter.store import StoreError, VaultMissingError

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY_BYTES = 1024 * 1024
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}

SERVER_HEADERS = {"Server": "service-registry", "X-Content-Type-Options": "nosniff"}
"""Of an answer to a request that could not be parsed; aiohttp's own would show its version."""


class Access(Enum):
    """Who may call a route."""

    OPEN = "open"
    ADMIN = "admin"
    RECEIVER = "receiver"
    STATUS_PAGE = "status_page"


ADMIN_TOKEN: web.AppKey[Secret | None] = web.AppKey("ADMIN_TOKEN", object)  # type: ignore[arg-type]
RECEIVER_TOKEN: web.AppKey[Secret | None] = web.AppKey("RECEIVER_TOKEN", object)  # type: ignore[arg-type]
STATUS_PAGE_TOKEN: web.AppKey[Secret | None] = web.AppKey("STATUS_PAGE_TOKEN", object)  # type: ignore[arg-type]
_OWN_TOKENS = {Access.RECEIVER: RECEIVER_TOKEN, Access.STATUS_PAGE: STATUS_PAGE_TOKEN}
_DISABLED = {
    Access.ADMIN: (
        "changes are off",
        "start with --admin-token-file FILE or set SERVICE_REGISTRY_ADMIN_TOKEN_FILE",
    ),
    Access.RECEIVER: (
        "the incident log accepts no messages",
        "start with --alertmanager.token-file FILE, or with an admin token",
    ),
    Access.STATUS_PAGE: (
        "webhooks of status pages are off",
        "start with --status-page.token-file FILE, or with an admin token",
    ),
}


def problem(status: int, title: str, **members: object) -> web.Response:
    """Return an RFC 9457 error; *members* are its detail and extension members."""
    body = {"type": "about:blank", "title": title, "status": status, **members}
    return web.Response(
        status=status, text=json.dumps(body), content_type="application/problem+json"
    )


def busy() -> web.Response:
    """Return the answer to a request for which there is no room; it ends its connection."""
    refusal = problem(503, "too many clients", detail="metrics and the receiver come first")
    refusal.headers["Retry-After"] = "5"
    refusal.force_close()
    return refusal


def guarded(handler: Handler, access: Access) -> Handler:
    """Return *handler* behind the token that *access* needs; without a check if it is OPEN."""

    async def run(request: web.Request) -> web.StreamResponse:
        if access is not Access.OPEN and (refusal := _refusal(request, access)) is not None:
            if refusal.status == 401 and (_sent_token(request) or _in_address(request, access)):
                await request.app[GUESSES].slow_down(request.remote, access.value)
            return refusal
        return await handler(request)

    return run


def _refusal(request: web.Request, access: Access) -> web.Response | None:
    tokens = [request.app[ADMIN_TOKEN]]
    if access in _OWN_TOKENS:
        tokens.append(request.app[_OWN_TOKENS[access]])
    accepted = [token.reveal().encode() for token in tokens if token is not None]
    if not accepted:
        title, detail = _DISABLED[access]
        return problem(403, title, detail=detail)
    sent = _sent_token(request)
    if in_address := _in_address(request, access):
        # the admin token is never taken from an address
        own = request.app[STATUS_PAGE_TOKEN]
        sent, accepted = in_address, [] if own is None else [own.reveal().encode()]
    # A list, not a generator: the time must not depend on which token matches.
    if any([hmac.compare_digest(sent, token) for token in accepted]):
        return None
    detail = (
        "send Authorization: Bearer TOKEN, or X-Admin-Token: TOKEN if Authorization has a password"
    )
    refusal = problem(401, f"a valid {access.value} token is needed", detail=detail)
    refusal.headers["WWW-Authenticate"] = "Bearer"
    return refusal


def _sent_token(request: web.Request) -> bytes:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":  # absent, or Basic for the web configuration's passwords
        credentials = request.headers.get("X-Admin-Token", "")
    return credentials.strip().encode("utf-8", "surrogateescape")


def _in_address(request: web.Request, access: Access) -> bytes:
    """Return the token in the query, where that is allowed and no header has one."""
    if access is not Access.STATUS_PAGE or _sent_token(request):
        return b""
    return request.query.get("token", "").encode("utf-8", "surrogateescape")


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem+json; a bug is logged without the exception's text."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        response = problem(error.status, error.reason)
        if allow := error.headers.get("Allow"):
            response.headers["Allow"] = allow
    except Exception as error:
        if isinstance(error, ConnectionError) and _is_disconnected(request):
            # Nobody reads it, and it is no bug: the client left, or was cut off.
            return problem(499, "the client disconnected")
        response = _problem_of(error)
    return response


def _is_disconnected(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _problem_of(error: Exception) -> web.Response:
    """Return the answer to an expected error, or 500 for a bug."""
    match error:
        case UnknownServiceError():
            way = "GET /api/services lists those that there are"
            return problem(404, "there is no such service", detail=way)
        case UnknownIncidentError():
            return problem(404, str(error))
        case IncidentError():
            return problem(409, str(error))
        case EncodingError():
            refusal = problem(415, str(error))
            refusal.headers["Accept-Encoding"] = ", ".join(ENCODINGS)
            return refusal
        case BodyError() | MessageError():
            return problem(400, str(error))
        case web.RequestPayloadError():
            return problem(400, "the body is not valid HTTP")
        case SettingsError():
            mistakes = [{"where": p.where, "what": p.what} for p in error.problems]
            return problem(422, "the service is not valid", errors=mistakes)
        case KeyRefusedError():
            outcome = error.outcome
            limited = outcome.reason is Reason.KEY_OK_LIMITED
            way = "allow_limited" if limited else "force"
            detail = f"{outcome.detail}; set {way} to use it anyway"
            return problem(422, str(error), reason=outcome.reason, detail=detail)
        case VaultMissingError():
            return problem(409, "keys cannot be stored", detail=str(error))
        case StoreError():
            return problem(503, "the change could not be stored", detail=str(error))
        case ManagementError():
            return problem(409, str(error), code=error.code)
    _log.error("bug in a handler", exc_info=error)
    return problem(500, "internal error", detail="see the exporter's log")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the security headers to *response*; those that its handler set stay."""
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "service-registry"
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")

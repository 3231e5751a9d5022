"""Mail by aiosmtplib: SMTP with STARTTLS or TLS, certificates verified.

Why aiosmtplib: it is small, without dependencies, kept since 2016, and speaks on the event loop;
`smtplib` of the standard library would need a thread for each server that hangs. Why not Apprise,
which speaks to many more services: it tells only whether something was sent, not why not or when to
try again; it knows neither Alertmanager's webhook message nor that a PagerDuty incident ends; its
secrets are parts of addresses that it logs.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator

import aiosmtplib

from exporter.config import Email
from exporter.log import event
from exporter.notifying.letters import letter, sender_of
from exporter.notifying.media import Hidden, UndeliveredError
from exporter.notifying.messages import Message
from exporter.secret import Secret

_log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 20.0
"""For each step of the conversation."""
_WHOLE_SECONDS = 60.0


class Mailbox:
    """Sends to the addresses of *settings*."""

    def __init__(self, settings: Email) -> None:
        self._settings = settings
        self._password = Hidden(settings.password, settings.password_file)

    def secrets(self) -> Iterator[Secret]:
        yield from self._password.known()

    async def send(self, message: Message, page: str) -> None:
        settings = self._settings
        mail = await asyncio.to_thread(letter, message, page, settings)
        password = None
        if self._password:
            password = (await asyncio.to_thread(self._password.read)).reveal()
        host, _, port = settings.smtp.rpartition(":")
        try:
            async with asyncio.timeout(_WHOLE_SECONDS):
                refused, _ = await aiosmtplib.send(
                    mail,
                    sender=sender_of(settings),
                    recipients=list(settings.to),
                    hostname=host.strip("[]"),
                    port=int(port),
                    username=settings.username or None,
                    password=password,
                    use_tls=settings.tls == "tls",
                    start_tls=settings.tls == "starttls",
                    timeout=TIMEOUT_SECONDS,
                    local_hostname=socket.gethostname(),
                )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _failure(error) from None
        if refused:
            what = "the mail server refuses some of the addresses of a message"
            event(_log, what, level=logging.WARNING, refused=len(refused), of=len(settings.to))


def _failure(error: Exception) -> UndeliveredError:
    """Return *error* without the server's words: they may repeat what was sent."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return _reply(error.code, "the login is refused", "check username and password")
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        code = max((one.code for one in error.recipients), default=550)
        return _reply(code, "every address is refused", "check the addresses in to")
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return _reply(error.code, "the sender is refused", "set from to an address of this server")
    if isinstance(error, aiosmtplib.SMTPNotSupported) or type(error) is aiosmtplib.SMTPException:
        what = "the server offers no such encryption or login"
        return UndeliveredError(
            what, advice="set tls to what it offers: starttls or tls", refused=True, certain=True
        )
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _reply(error.code, "the message is refused", "")
    if isinstance(error, ssl.SSLCertVerificationError):
        what = "the mail server's certificate is not trusted"
        return UndeliveredError(what, advice="is smtp the name in it?", certain=True)
    if isinstance(error, (aiosmtplib.SMTPConnectError, ssl.SSLError)):
        what = "no connection to the mail server"
        advice = "check host, port and tls: 587 is starttls, 465 is tls"
        return UndeliveredError(what, advice=advice, certain=True)
    if isinstance(error, TimeoutError):
        return UndeliveredError("the mail server does not answer in time")
    return UndeliveredError(f"the connection broke ({type(error).__name__})")


def _reply(code: int, what: str, advice: str) -> UndeliveredError:
    """Return the reason for a reply; 5xx is for good, 4xx may pass (RFC 5321 4.2.1)."""
    why = f"{what} (SMTP {code})"
    return UndeliveredError(why, advice=advice, refused=code >= 500, certain=True)

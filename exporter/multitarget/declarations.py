"""The settings of a module: those of blackbox_exporter's http prober, and two of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exporter.checks import Method, TlsSettings
from exporter.multitarget.prober import HeaderRule
from exporter.secret import Secret
from exporter.settings import Duration, PublicText, option

_PROXY = r"^(https?|socks5h?)://[^\s]+$"
_ONLY_HTTP = "must be http; for other kinds (tcp, icmp, dns, grpc) use blackbox_exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """User and password."""

    username: str = option("", "User.")
    password: Secret | None = option(None, "Password; prefer password_file.")
    password_file: str | None = option(None, "File with the password.", minLength=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """The Authorization header."""

    type: PublicText = option(
        "Bearer", "Scheme.", pattern=r"^[A-Za-z0-9._~+-]{1,64}$", hint="must be one word"
    )
    credentials: Secret | None = option(None, "The text after the scheme; prefer credentials_file.")
    credentials_file: str | None = option(None, "File with the credentials.", minLength=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The settings of the http prober; the last two are not blackbox_exporter's."""

    valid_status_codes: tuple[int, ...] = option((), "Statuses that are good; none means 2xx.")
    valid_http_versions: tuple[Literal["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"], ...] = option(
        (), "Versions that are good; none means any."
    )
    preferred_ip_protocol: Literal["ip4", "ip6"] = option("ip6", "IP protocol to use.")
    ip_protocol_fallback: bool = option(True, "Use the other one if there is no such address.")
    method: Method = option("GET", "Request method.")
    headers: dict[str, Secret] = option(doc="Request headers.", factory=dict)
    body: Secret | None = option(None, "Request body.")
    body_file: str | None = option(None, "File with the request body.", minLength=1)
    fail_if_ssl: bool = option(False, "Fail if the final answer came over TLS.")
    fail_if_not_ssl: bool = option(False, "Fail if the final answer did not come over TLS.")
    fail_if_body_matches_regexp: tuple[str, ...] = option((), "RE2 patterns; any match fails.")
    fail_if_body_not_matches_regexp: tuple[str, ...] = option((), "RE2 patterns; all must match.")
    fail_if_header_matches: tuple[HeaderRule, ...] = option((), "Any match fails.")
    fail_if_header_not_matches: tuple[HeaderRule, ...] = option((), "All must match.")
    no_follow_redirects: bool | None = option(None, "Old opposite of follow_redirects; it wins.")
    follow_redirects: bool = option(True, "Follow up to ten redirects.")
    proxy_url: Secret | None = option(
        None,
        "HTTP or SOCKS proxy.",
        pattern=_PROXY,
        hint="must be a proxy URL such as http://proxy.example:3128 or socks5h://…",
    )
    tls_config: TlsSettings = option(doc="TLS of the connection.", factory=TlsSettings)
    basic_auth: BasicAuth | None = option(None, "User and password to send.")
    authorization: Authorization | None = option(None, "Authorization header to send.")
    bearer_token: Secret | None = option(None, "Short for authorization.credentials.")
    bearer_token_file: str | None = option(None, "The same from a file.", minLength=1)
    compression: Literal["", "gzip", "br", "deflate", "identity"] = option(
        "", "How the body must be compressed; it is decompressed."
    )
    body_size_limit: int | str = option(
        0,
        "Largest body, to 10MB (of 1,048,576 bytes); 0 reads 64KB and does not fail beyond.",
        minimum=0,
        pattern=r"^[0-9]{1,12}(?:[KMG]i?)?B?$",
        hint="must be a size such as 512KB",
    )
    enable_http2: bool = option(True, "Offer HTTP/2 over TLS.")
    allow_private_addresses: bool = option(
        False, "Allow loopback, private, link-local and other non-public addresses."
    )
    allowed_targets: tuple[str, ...] = option(
        (),
        "The only origins that may be a target, such as https://api.example.com or "
        "*.example.com:8443; needed with credentials.",
        maxItems=1000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A named way to probe."""

    prober: PublicText = option(doc="Kind of probe.", pattern="^http$", hint=_ONLY_HTTP)
    timeout: Duration = option(0.0, "Longest probe; 0: the scrape's timeout.", max=300)
    http: HttpSettings = option(doc="Settings of the http prober.", factory=HttpSettings)

    @property
    def has_files(self) -> bool:
        """Whether each probe reads files: a body or a secret."""
        http = self.http
        return any(
            (
                http.body_file,
                http.bearer_token_file,
                http.basic_auth and http.basic_auth.password_file,
                http.authorization and http.authorization.credentials_file,
            )
        )

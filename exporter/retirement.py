"""What a provider says of the end of an API or a model: nouns without I/O and without a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

API = "api"
"""The resource that is the API itself; every other resource is a configured model."""
EARLIEST, LATEST = 946_684_800.0, 4_102_444_800.0
"""2000-01-01 and 2100-01-01: a date outside them announces nothing (year 9999 means never)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one answer says of one resource. Times are Unix times from `EARLIEST` to `LATEST`.

    `links` are relations and http(s) addresses, chosen by the server: they are shown escaped, are
    never followed and never become a label.
    """

    deprecated: bool = False
    deprecated_at: float | None = None
    """Since or from when; None if the answer gives no day."""
    sunset_at: float | None = None
    """When it is switched off."""
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """What one answer says of retirement."""

    notices: Mapping[str, Notice] = field(default_factory=dict)
    """By resource."""
    listed: Mapping[str, bool] | None = None
    """Whether a model is in the list; one that may be on a further page is left out.

    None: there is no list to read. Empty: there should be one, and it cannot be read.
    """
    is_version_served: bool | None = None
    """Whether the answer names the API version that the configuration expects."""

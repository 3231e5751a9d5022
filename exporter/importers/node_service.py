"""One service of the original registry: its key, address, request, limits and answer on a draft."""

from __future__ import annotations

import json
import re

from exporter.characters import has_control
from exporter.checks import header_mistake
from exporter.importers.address import scheme_of
from exporter.importers.credentials import holds_key
from exporter.importers.fields import duration
from exporter.importers.report import names_in, variable
from exporter.importers.request import MAX_TIMEOUT_SECONDS, Builder
from exporter.importers.spelling import Spelled, spellings_of_time
from exporter.importers.statuses import ANY_2XX, LISTED, from_ranges
from exporter.secret import looks_like_key
from exporter.settings import FieldPath

_EXPECTATION = re.compile(r"expect|assert|match|valid|contain|schema", re.I)
_SCHEMES = frozenset({"bearer", "token", "basic", "apikey", "api-key", "key", "bot"})
_MOST_REQUESTS, _MOST_FAILURES = 10**9, 1000
_NO_ADDRESS = "https://preset.example"
_HINTS = {
    "alerting": "thresholds are in `alerts`, receivers in alertmanager/alertmanager.yml",
    "alerts": "thresholds are in `alerts`, receivers in alertmanager/alertmanager.yml",
    "webhooks": "set receivers and routes in alertmanager/alertmanager.yml",
    "notifications": "set receivers and routes in alertmanager/alertmanager.yml",
    "incidents": "incidents come from Alertmanager",
    "escalationrules": "see `escalate_after` of alerts, and the library's add_escalation_rule",
    "maxdelayms": "no delay is longer than the probe's interval",
    "requestspersecond": "the limits are requests_per_minute and requests_per_hour",
    "requestsperday": "the limits are requests_per_minute and requests_per_hour",
    "environments": "a service has one environment; write one service for each",
    "port": "use --web.listen-address",
}


class Check:
    """The healthCheck of one service above the defaults of all."""

    def __init__(self, service: Spelled, defaults: Spelled) -> None:
        written = service.raw("healthCheck")
        self.off = written is False
        self.own = Spelled(service.ledger, service.at("healthCheck"), None)
        if not isinstance(written, bool):
            self.own = service.mapping("healthCheck")
        self._defaults = defaults

    def of(self, *names: str) -> Spelled:
        """Return whichever mapping has one of *names*, the service's own first."""
        self._defaults.skip(*names)
        self.own.skip(*names)
        return self.own if any(name in self.own for name in names) else self._defaults

    def time(self, name: str) -> tuple[float, FieldPath] | None:
        """Return the seconds of a time and their path, None if there is none."""
        return self.of(*spellings_of_time(name)).time(name)

    def report_unread(self, builder: Builder) -> None:
        """Report what nothing read; disable a service that would be good where it was not."""
        if any(map(_EXPECTATION.search, self.own.unread())):
            builder.disable("something that it expects of the answer has no equivalent")
        lose_unread(self.own)


def set_key(builder: Builder, fields: Spelled) -> str:
    """Set the key and where it goes; return the value of its header as a request had it."""
    raw, key = builder.draft.raw, fields.text("apiKey").strip() or _named_variable(fields)
    header, prefix = fields.text("apiKeyHeader").strip(), fields.text("apiKeyPrefix")
    has_prefix = fields.raw("apiKeyPrefix") is not None
    if not key:
        return ""
    if header and not header_mistake(header, "") and not holds_key(header):
        raw["api_key_header"] = header
    elif header:
        builder.ledger.lost(fields.at("apiKeyHeader"), "is not a header name; not imported")
    if prefix.strip().lower() in _SCHEMES and not prefix.endswith(" "):
        message = "has no space at its end; one is added, since the key follows at once"
        builder.ledger.lost(fields.at("apiKeyPrefix"), message)
        prefix = f"{prefix.strip()} "
    if has_prefix and (holds_key(prefix) or len(prefix) > 64 or has_control(prefix)):
        message = "looks like a key, or is not a text of at most 64 characters; not imported"
        builder.hider(fields.at("apiKeyPrefix"))(prefix, "prefix")
        builder.ledger.lost(fields.at("apiKeyPrefix"), message)
        builder.disable("the text before its key is missing")
    elif has_prefix:
        raw["api_key_prefix"] = prefix
        if prefix and not header:  # a scheme belongs to Authorization, whatever a preset's header
            raw["api_key_header"] = "Authorization"
    elif header and header.lower() != "authorization":
        message = (
            "has no apiKeyPrefix beside it: nothing is put before the key; set api_key_prefix if "
            "the API wants a scheme"
        )
        builder.ledger.lost(fields.at("apiKeyHeader"), message)
        raw["api_key_prefix"] = prefix = ""
    else:
        prefix = "Bearer "
    raw["api_key"] = builder.hider(fields.at("apiKey"))(key, "key")
    return f"{prefix}{key}"


def _named_variable(fields: Spelled) -> str:
    """Return the variable whose name the file has in place of the key, or nothing."""
    for field in ("apiKeyEnv", "apiKeyEnvVar"):
        name = fields.text(field).strip()
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name) and not looks_like_key(name):
            return variable(name)
        if name and not names_in(name):
            fields.ledger.lost(fields.at(field), "is not the name of a variable; not imported")
        elif name:
            return name
    return ""


def set_address(builder: Builder, fields: Spelled, check: Check) -> bool:
    """Set where the request goes; return whether it can be sent."""
    source = check.of("endpoint", "path", "url")
    field = next((f for f in ("endpoint", "path", "url") if f in source), "endpoint")
    base, endpoint = fields.text("baseUrl").strip(), source.text(field).strip()
    absolute = bool(scheme_of(endpoint))
    if absolute:
        path = source.at(field)
        if base and not endpoint.startswith(f"{base.rstrip('/')}/"):
            builder.ledger.lost(path, "is an absolute URL, so baseUrl is not used")
        return builder.address(endpoint, path)
    tail = f"/{endpoint.removeprefix('/')}" if endpoint else ""
    if not base:  # the preset's is used, but what is below it may have a secret
        found = builder.address(f"{_NO_ADDRESS}{tail}", source.at(field))
        builder.draft.raw.pop("base_url", None)
        builder.draft.host = ""
        return found
    head, mark, query = base.partition("?")
    head = head.rstrip("/") if tail or head.count("/") > 2 else head
    url = head + tail + (f"{'&' if '?' in tail else mark}{query}" if mark else "")
    if not builder.address(url, fields.at("baseUrl")):
        return False
    raw, health = builder.draft.raw, builder.draft.check
    whole = raw["base_url"] + health.get("endpoint", "")
    # split as the file has it, since a user's own calls start from base_url
    if not mark and whole.endswith(tail):
        raw["base_url"] = whole[: len(whole) - len(tail)]
        health.pop("endpoint", None)
        if tail:
            health["endpoint"] = tail
    return True


def set_request(builder: Builder, fields: Spelled, check: Check, key: str) -> bool:
    """Set method, headers and body, without the header *key*; return whether it can be sent."""
    method = check.of("method")
    if not builder.method(method.text("method"), method.at("method")):
        return False
    if check.off or not check.of("enabled").flag("enabled", True):
        builder.draft.check["enabled"] = False
    additional = fields.texts_by_name("additionalHeaders")
    header = str(builder.draft.raw.get("api_key_header", "Authorization")).lower()
    own = check.of("headers")
    for headers, path, of_all in (
        (additional, fields.at("additionalHeaders"), True),
        (own.texts_by_name("headers"), own.at("headers"), False),
    ):
        # the key itself, written a second time
        kept = {n: v for n, v in headers.items() if not key or (n.lower(), v) != (header, key)}
        builder.headers(kept, path, of_all=of_all)
    body = check.of("body")
    data = body.data("body")
    if isinstance(data, str):
        builder.body(data, body.at("body"))
    elif data is not None:
        text = json.dumps(data, ensure_ascii=False)
        builder.body(text, body.at("body"), "application/json")
    return True


def set_times(builder: Builder, check: Check) -> None:
    """Set interval and timeout, as far as the file has them."""
    longest = MAX_TIMEOUT_SECONDS
    if interval := check.time("interval"):
        longest = builder.interval(*interval)
    if timeout := check.time("timeout"):
        builder.timeout(*timeout, longest)


def set_limits(builder: Builder, fields: Spelled) -> None:
    """Set rate limit and retries."""
    rate, retry = fields.mapping("rateLimit"), fields.mapping("retryPolicy")
    limits = {
        ours: found
        for theirs, ours in (
            ("requestsPerMinute", "requests_per_minute"),
            ("requestsPerHour", "requests_per_hour"),
        )
        if (found := rate.whole(theirs, 1, _MOST_REQUESTS)) is not None
    }
    policy: dict[str, object] = {}
    if (retries := retry.whole("maxRetries", 0, 10)) is not None:
        policy["max_retries"] = retries
    if delay := retry.time("baseDelay"):
        if delay[0] > 60 or delay[0] < 0:
            builder.ledger.lost(delay[1], "must be from 0 to 1m; the nearest limit is used")
        policy["base_delay"] = duration(min(max(delay[0], 0), 60))
    if (growth := retry.number("backoffMultiplier")) is not None:
        if not 1 <= growth <= 10:
            at = retry.at("backoffMultiplier")
            builder.ledger.lost(at, "must be from 1 to 10; the nearest limit is used")
        policy["backoff_multiplier"] = min(max(growth, 1), 10)
    builder.draft.raw |= {"rate_limit": limits} if limits else {}
    builder.draft.raw |= {"retry_policy": policy} if policy else {}
    for part in (rate, retry):
        lose_unread(part)


def set_answer(builder: Builder, check: Check) -> None:
    """Set what is expected of the answer, and how often it is asked for."""
    names = ("expectedStatusCodes", "expectedStatus", "expectedStatusCode")
    source = check.of(*names)
    name = next((n for n in names if n in source), "")
    if name:
        _statuses(builder, source, name)
    retries = check.of("retries").whole("retries", 0, 10)
    if retries is not None:
        builder.draft.check["retries"] = retries
    failures = check.of("failureThreshold", "unhealthyThreshold")
    for name in ("failureThreshold", "unhealthyThreshold"):
        if (count := failures.whole(name, 1, _MOST_FAILURES)) is not None:
            builder.down_after(count)


def _statuses(builder: Builder, source: Spelled, name: str) -> None:
    written = source.raw(name)
    texts = [str(item) for item in (written if isinstance(written, list) else [written])]
    try:
        plain = [text for text in texts if text.lower() != "2xx"]
        statuses = from_ranges(plain)
        if len(plain) < len(texts):
            statuses = sorted({*statuses, *ANY_2XX})
    except ValueError:
        message = "must be statuses from 100 to 599, such as 200, or ranges such as 200-299"
        source.ledger.mistake(source.at(name), message)
        return
    if not statuses:
        source.ledger.lost(source.at(name), "is empty: 200 is expected")
        return
    builder.draft.check["expected_status_codes"] = statuses
    if any(not text.isdigit() for text in texts):
        builder.draft.comments["health_check", "expected_status_codes"] = LISTED


def lose_unread(fields: Spelled) -> None:
    """Report every field that nothing read."""
    for name in fields.unread():
        hint = _HINTS.get(name, "this field is not known here")
        fields.ledger.lost(fields.at(name), f"no equivalent: {hint}")

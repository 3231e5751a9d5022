"""From drafts to a file: ids, names of variables, `defaults`, and what check-config finds."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from exporter.checks import HealthCheck
from exporter.config import Service, read_text
from exporter.config.declarations import Alerts
from exporter.importers.emitter import emit
from exporter.importers.known import recognise
from exporter.importers.naming import Ids, Variables, readable, slug
from exporter.importers.report import (
    CLOSE,
    OPEN,
    Draft,
    HiddenSecret,
    NoImportError,
    Report,
    changed,
    names_in,
    texts,
    written,
)
from exporter.secret import HIDDEN
from exporter.settings import FieldPath, Problem, SettingsError

# Secrets shorter than this are ordinary words too, such as "test".
_MIN_STRUCK_LENGTH = 8
# With more, one pattern over all texts takes time by the square of the services. A service's own
# secrets are still removed from its texts.
_MAX_STRUCK = 500
# Longer ones are no keys, and as one pattern they would take minutes. A name has 128 characters.
_MAX_STRUCK_LENGTH = 4096
_COMMON = (
    ("environment",),
    ("team",),
    *(("retry_policy", name) for name in ("max_retries", "base_delay", "backoff_multiplier")),
    ("alerts", "down_after"),
    *(
        ("health_check", name)
        for name in (
            "interval",
            "timeout",
            "retries",
            "expected_status_codes",
            "follow_redirects",
            "allow_cross_origin",
            "allow_private_addresses",
        )
    ),
)
_SERVICE_FIELDS = [f.name for f in dataclasses.fields(Service)]
_ALERT_FIELDS = [f.name for f in dataclasses.fields(Alerts)]
_CHECK_FIELDS = [f.name for f in dataclasses.fields(HealthCheck)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A variable that must be set before the file works, and where its value is now."""

    name: str
    place: Problem
    service: str

    def __str__(self) -> str:
        place = self.place
        # The scheme, such as Bearer, is in the new file already.
        part = (
            ", without its scheme" if place.where.lower().endswith("headers.authorization") else ""
        )
        return f"{self.name}  (now in {place.source}:{place.line}: {place.where}{part})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result of an import: a file of ours as text and data, and what to know about it."""

    format: str
    text: str
    data: dict[str, Any]
    warnings: tuple[Problem, ...]
    remarks: tuple[Problem, ...]
    """Warnings of check-config about the new file: settings that work but are hardly intended."""
    settings: tuple[Setting, ...]

    @property
    def services(self) -> list[dict[str, Any]]:
        """The services, without the settings in `defaults`."""
        services: list[dict[str, Any]] = self.data["services"]
        return services


def finish(report: Report, kind: str, output: str) -> Imported:
    """Return the file made from *report*.

    Raises:
        SettingsError: the foreign files are wrong.
        NoImportError: there is no service in them that could be imported.
    """
    if report.mistakes:
        raise SettingsError(report.mistakes)
    if not report.drafts:
        raise NoImportError("nothing could be imported", report.warnings)
    hidden = list(report.secrets.values())
    strike, ids = _secret_remover(hidden), Ids()
    for draft in report.drafts:
        # first, since the preset decides how its key's variable is named
        recognise(draft)
        draft.name = readable(draft.name, strike)
        wish = readable(draft.wanted_id, strike) or draft.name
        wishes = (wish, f"{readable(draft.group, strike)} {wish}")
        draft.id = ids.take(wishes if slug(wish) else (draft.host, "service"))
    settings = _name_secrets(report.drafts, hidden)
    names = {f"#{secret.number}": secret.name for secret in hidden}
    monitoring = report.monitoring
    data, text = _rendered(report.drafts, kind, names, strike, monitoring)
    # services in the file have the order of the drafts, so the index of one is that of the other
    if refused := _refused(text, output, report.drafts):
        report.warnings += refused.values()
        kept = [draft for index, draft in enumerate(report.drafts) if index not in refused]
        if not kept:
            raise NoImportError("nothing could be imported", report.warnings)
        used = {name for draft in kept for name in variables_in(draft)}
        settings = tuple(s for s in settings if any(names.get(n) == s.name for n in used))
        data, text = _rendered(kept, kind, names, strike, monitoring)
    return Imported(
        format=kind,
        text=text,
        data=data,
        warnings=tuple(sorted(set(report.warnings))),
        remarks=_remarks_of(text, output),
        settings=settings,
    )


def _rendered(
    drafts: list[Draft],
    kind: str,
    names: Mapping[str, str],
    strike: Callable[[str], str],
    monitoring: dict[str, Any],
) -> tuple[dict[str, Any], str]:
    """Return the file of *drafts*, as data and as text."""
    services = [_service(draft, names, strike) for draft in drafts]
    comments = {
        ("services", index, *path): comment
        for index, draft in enumerate(drafts)
        for path, comment in draft.comments.items()
    }
    data = _with_defaults(services, comments)
    if monitoring:
        data = {"monitoring": monitoring} | data
    body = emit(data, comments)
    return data, _header(kind, len(services), "retries: 0\n" in body) + body


def _foreign_variables(draft: Draft) -> Iterator[str]:
    for _, text in texts(draft.raw):
        yield from (name for name in names_in(text) if not name.startswith("#"))


def _name_secrets(drafts: list[Draft], hidden: list[HiddenSecret]) -> tuple[Setting, ...]:
    """Name the variable of every secret: the preset's for a preset's key, else by service."""
    variables = Variables(name for draft in drafts for name in _foreign_variables(draft))
    settings = []
    for draft in drafts:
        for name in variables_in(draft):
            if not name.startswith("#") or (secret := hidden[int(name[1:])]).name:
                continue
            usual = draft.key_variable if secret.purpose == "key" else ""
            if usual and variables.is_free(usual):
                secret.name = variables.reserve(usual)
            else:
                secret.name = variables.take(draft.id, secret.purpose)
            settings.append(Setting(name=secret.name, place=secret.place, service=draft.id))
    return tuple(sorted(settings, key=lambda setting: setting.name))


def _secret_remover(hidden: list[HiddenSecret]) -> Callable[[str], str]:
    """Return a function that strikes every known secret out of a text for people."""
    lengths = range(_MIN_STRUCK_LENGTH, _MAX_STRUCK_LENGTH + 1)
    values = [secret.value for secret in hidden if len(secret.value) in lengths]
    if not values or len(values) > _MAX_STRUCK:
        return lambda text: text
    # the longest first: of two that begin alike the shorter would leave the other's end behind
    longest = sorted(
        {form for value in values for form in _spellings(value)}, key=len, reverse=True
    )
    pattern = re.compile("|".join(map(re.escape, longest)), re.I)
    return lambda text: pattern.sub(HIDDEN, text)


def _spellings(value: str) -> tuple[str, str]:
    return value, quote(value, safe="")


def _service(
    draft: Draft, names: Mapping[str, str], strike: Callable[[str], str]
) -> dict[str, Any]:
    """Return the service as our file has it, fields in the order of the reference."""
    own_secrets = [secret for secret in draft.secrets if len(secret.value) >= _MIN_STRUCK_LENGTH]

    # A secret found in one field may also be in another, where it did not look like one.
    def final(text: str) -> str:
        for secret in own_secrets:
            for spelling in _spellings(secret.value):
                text = text.replace(spelling, f"{OPEN}#{secret.number}{CLOSE}")
        return written(text, lambda name: names.get(name, name))

    def shown(text: str) -> str:
        for secret in own_secrets:
            for spelling in _spellings(secret.value):
                text = text.replace(spelling, HIDDEN)
        return written(strike(text), lambda name: names.get(name, name))

    raw: dict[str, Any] = {"id": draft.id}
    if draft.name and draft.name != draft.id and (name := shown(draft.name)):
        raw["name"] = name
    for field in sorted(draft.raw, key=_SERVICE_FIELDS.index):
        for_people = field in ("metadata", "environment", "team")
        raw[field] = changed(draft.raw[field], shown if for_people else final)
    if check := raw.pop("health_check", None):
        raw["health_check"] = {name: check[name] for name in sorted(check, key=_CHECK_FIELDS.index)}
    if alerts := raw.pop("alerts", None):
        raw["alerts"] = {name: alerts[name] for name in sorted(alerts, key=_ALERT_FIELDS.index)}
    return {name: raw[name] for name in sorted(raw, key=_SERVICE_FIELDS.index) if raw[name] != {}}


def variables_in(draft: Draft) -> list[str]:
    """Return the variables in *draft* by their inner names; `#N` is the secret number N."""
    return [name for _, text in texts(draft.raw) for name in names_in(text)]


def _with_defaults(
    services: list[dict[str, Any]], comments: dict[FieldPath, str]
) -> dict[str, Any]:
    """Return the file, with values that several services share moved to `defaults`.

    Only the most common value of a field moves, and only if every service has the field.
    """
    defaults: dict[str, Any] = {}
    for path in _COMMON if len(services) > 1 else ():
        values = [_value_at(service, path) for service in services]
        if any(value is None for value in values):
            continue  # a service without the field would inherit it
        usual, count = _most_common(values)
        if count < 2:
            continue
        _set(defaults, path, usual)
        for index, service in enumerate(services):
            if values[index] != usual:
                continue
            _remove(service, path)
            if comment := comments.pop(("services", index, *path), ""):
                comments["defaults", *path] = comment
    return ({"defaults": defaults} if defaults else {}) | {"services": services}


def _most_common(values: list[Any]) -> tuple[Any, int]:
    """Return the most common of *values*, and how often it occurs."""
    # by repr, since lists have no hash and 1 equals True
    counted = Counter(map(repr, values))
    text, count = counted.most_common(1)[0]
    return next(value for value in values if repr(value) == text), count


def _value_at(data: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def _set(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        data = data.setdefault(step, {})
    data[path[-1]] = value


def _remove(data: dict[str, Any], path: tuple[str, ...]) -> None:
    if len(path) == 1:
        data.pop(path[0], None)
    elif inner := data.get(path[0]):
        inner.pop(path[1], None)
        if not inner:
            data.pop(path[0])


class _StandIns(dict[str, str]):
    """An environment with every variable set: to a URL if a URL begins with it, else to "1"."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._urls = set(re.findall(r'(?:base_url|proxy): "?\$\{([A-Za-z_][A-Za-z0-9_]*)\}', text))

    def get(self, name: str, default: Any = None) -> Any:
        return "https://set.example" if name in self._urls else "1"


def _refused(text: str, output: str, drafts: list[Draft]) -> dict[int, Problem]:
    """Return the index and problem of each service that check-config refuses."""
    try:
        read_text(text, output, _StandIns(text))
    except SettingsError as error:
        refused: dict[int, Problem] = {}
        for problem in error.problems:
            if match := re.match(r"services\[([0-9]+)\]\.?(.*)", problem.where):
                index, where = int(match.group(1)), match.group(2)
                message = f"not imported: {where or 'the service'} {problem.what}"
                refused.setdefault(index, dataclasses.replace(drafts[index].place, what=message))
        return refused
    return {}


def _remarks_of(text: str, output: str) -> tuple[Problem, ...]:
    """Return the warnings of check-config.

    Raises:
        SettingsError: the file does not pass, which is a bug of this program.
    """
    try:
        remarks = read_text(text, output, _StandIns(text)).warnings
        # keys are variables here, so a warning about one is about its stand-in
        return tuple(remark for remark in remarks if not remark.where.endswith(".api_key"))
    except SettingsError as error:
        reason = "the generated file does not pass check-config, so it is not written; "
        problems = [dataclasses.replace(p, what=reason + p.what) for p in error.problems]
        raise SettingsError(problems) from None


def _header(kind: str, count: int, single: bool) -> str:
    """Return the comment above all; *single* is whether a probe is one request."""
    noun = "service" if count == 1 else "services"
    return (
        f"# {count} {noun}, written by `service-registry import` from a configuration of {kind}.\n"
        "# Meaning of every setting: config/README.md; what changed: config/MIGRATION.md.\n"
        + ("# retries: 0 is one request a probe, as before; our default is 2.\n" if single else "")
        + "\n"
    )

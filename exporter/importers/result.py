"""From drafts to a file: ids, variables, common settings into `defaults`, checked and written."""

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
    Hidden,
    NoImportError,
    Report,
    changed,
    names_in,
    texts,
    written,
)
from exporter.secret import HIDDEN
from exporter.settings import FieldPath, Problem, SettingsError

_LEAST = 8
_MANY = 500
_COMMON = (
    ("environment",),
    ("team",),
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
_SERVICE = [f.name for f in dataclasses.fields(Service)]
_ALERTS = [f.name for f in dataclasses.fields(Alerts)]
_CHECK = [f.name for f in dataclasses.fields(HealthCheck)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A variable that must be set before the file works, and where its value stands now."""

    name: str
    place: Problem
    service: str

    def __str__(self) -> str:
        place = self.place
        # The scheme, such as Bearer, stands in the new file already.
        part = (
            ", without its scheme" if place.where.lower().endswith("headers.authorization") else ""
        )
        return f"{self.name}  (now in {place.source}:{place.line}: {place.where}{part})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import made: a file of ours, and what to know about it."""

    format: str
    text: str
    data: dict[str, Any]
    warnings: tuple[Problem, ...]
    remarks: tuple[Problem, ...]
    """What check-config says of the new file: things that work but are hardly meant."""
    settings: tuple[Setting, ...]

    @property
    def services(self) -> list[dict[str, Any]]:
        """The services, without what stands in `defaults`."""
        found: list[dict[str, Any]] = self.data["services"]
        return found


def finish(report: Report, kind: str, output: str) -> Imported:
    """Return the file that *report* comes to.

    Raises:
        SettingsError: the foreign files are wrong.
    """
    if report.mistakes:
        raise SettingsError(report.mistakes)
    if not report.drafts:
        raise NoImportError("nothing could be taken", report.warnings)
    hidden = list(report.secrets.values())
    strike, ids = _striker(hidden), Ids()
    for draft in report.drafts:
        recognise(draft)
        draft.name = readable(draft.name, strike)
        wishes = (draft.name, f"{readable(draft.group, strike)} {draft.name}")
        draft.id = ids.take(wishes if slug(draft.name) else (draft.host, "service"))
    settings = _name(report.drafts, hidden)
    names = {f"#{one.number}": one.name for one in hidden}
    data, text = _made(report.drafts, kind, names, strike)
    if refused := _refused(text, output, report.drafts):
        report.warnings += refused.values()
        kept = [draft for index, draft in enumerate(report.drafts) if index not in refused]
        if not kept:
            raise NoImportError("nothing could be taken", report.warnings)
        used = {name for draft in kept for name in names_of(draft)}
        settings = tuple(s for s in settings if any(names.get(n) == s.name for n in used))
        data, text = _made(kept, kind, names, strike)
    return Imported(
        format=kind,
        text=text,
        data=data,
        warnings=tuple(sorted(set(report.warnings))),
        remarks=_checked(text, output),
        settings=settings,
    )


def _made(
    drafts: list[Draft], kind: str, names: Mapping[str, str], strike: Callable[[str], str]
) -> tuple[dict[str, Any], str]:
    """Return the file of *drafts*, as data and as text."""
    services = [_service(draft, names, strike) for draft in drafts]
    comments = {
        ("services", index, *path): comment
        for index, draft in enumerate(drafts)
        for path, comment in draft.comments.items()
    }
    data = _factored(services, comments)
    return data, _header(kind, len(services)) + emit(data, comments)


def _foreign_names(draft: Draft) -> Iterator[str]:
    for _, text in texts(draft.raw):
        yield from (name for name in names_in(text) if not name.startswith("#"))


def _name(drafts: list[Draft], hidden: list[Hidden]) -> tuple[Setting, ...]:
    """Give every hidden value its variable: the preset's for a preset's key, else by service."""
    variables = Variables(name for draft in drafts for name in _foreign_names(draft))
    settings = []
    for draft in drafts:
        for name in names_of(draft):
            if not name.startswith("#") or (one := hidden[int(name[1:])]).name:
                continue
            usual = draft.key_variable if one.purpose == "key" else ""
            if usual and variables.is_free(usual):
                one.name = variables.reserve(usual)
            else:
                one.name = variables.take(draft.id, one.purpose)
            settings.append(Setting(name=one.name, place=one.place, service=draft.id))
    return tuple(sorted(settings, key=lambda setting: setting.name))


def _striker(hidden: list[Hidden]) -> Callable[[str], str]:
    """Return what takes every known secret out of a text for people."""
    values = [one.value for one in hidden if len(one.value) >= _LEAST]
    if not values or len(values) > _MANY:
        return lambda text: text
    longest = sorted({f for v in values for f in _forms(v)}, key=len, reverse=True)
    found = re.compile("|".join(map(re.escape, longest)), re.I)
    return lambda text: found.sub(HIDDEN, text)


def _forms(value: str) -> tuple[str, str]:
    return value, quote(value, safe="")


def _service(
    draft: Draft, names: Mapping[str, str], strike: Callable[[str], str]
) -> dict[str, Any]:
    """Return the service as our file has it, in the order of the reference."""
    own = [one for one in draft.secrets if len(one.value) >= _LEAST]

    def final(text: str) -> str:
        for one in own:
            for form in _forms(one.value):
                text = text.replace(form, f"{OPEN}#{one.number}{CLOSE}")
        return written(text, lambda name: names.get(name, name))

    def shown(text: str) -> str:
        for one in own:
            for form in _forms(one.value):
                text = text.replace(form, HIDDEN)
        return written(strike(text), lambda name: names.get(name, name))

    raw: dict[str, Any] = {"id": draft.id}
    if draft.name and draft.name != draft.id and (name := shown(draft.name)):
        raw["name"] = name
    for field in sorted(draft.raw, key=_SERVICE.index):
        people = field in ("metadata", "environment", "team")
        raw[field] = changed(draft.raw[field], shown if people else final)
    if check := raw.pop("health_check", None):
        raw["health_check"] = {name: check[name] for name in sorted(check, key=_CHECK.index)}
    if alerts := raw.pop("alerts", None):
        raw["alerts"] = {name: alerts[name] for name in sorted(alerts, key=_ALERTS.index)}
    return {name: raw[name] for name in sorted(raw, key=_SERVICE.index) if raw[name] != {}}


def names_of(draft: Draft) -> list[str]:
    """Return the inner names of the variables in *draft*."""
    return [name for _, text in texts(draft.raw) for name in names_in(text)]


def _factored(services: list[dict[str, Any]], comments: dict[FieldPath, str]) -> dict[str, Any]:
    """Return the file: what most services have stands in `defaults`, once."""
    defaults: dict[str, Any] = {}
    for path in _COMMON if len(services) > 1 else ():
        found = [_at(service, path) for service in services]
        if any(value is None for value in found):
            continue  # a service without it would take it over
        usual, count = _commonest(found)
        if count < 2:
            continue
        _put(defaults, path, usual)
        for index, service in enumerate(services):
            if found[index] != usual:
                continue
            _take(service, path)
            if comment := comments.pop(("services", index, *path), ""):
                comments["defaults", *path] = comment
    return ({"defaults": defaults} if defaults else {}) | {"services": services}


def _commonest(values: list[Any]) -> tuple[Any, int]:
    """Return the value that stands most often in *values*, and how often."""
    counted = Counter(map(repr, values))
    text, count = counted.most_common(1)[0]
    return next(value for value in values if repr(value) == text), count


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        data = data.setdefault(step, {})
    data[path[-1]] = value


def _take(data: dict[str, Any], path: tuple[str, ...]) -> None:
    if len(path) == 1:
        data.pop(path[0], None)
    elif inner := data.get(path[0]):
        inner.pop(path[1], None)
        if not inner:
            data.pop(path[0])


class _AnyVariable(dict[str, str]):
    """An environment in which every variable is set to something that could be meant."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._urls = set(re.findall(r'base_url: "?\$\{([A-Za-z_][A-Za-z0-9_]*)\}', text))

    def get(self, name: str, default: Any = None) -> Any:
        return "https://set.example" if name in self._urls else "1"


def _refused(text: str, output: str, drafts: list[Draft]) -> dict[int, Problem]:
    """Return the services that check-config refuses, and what to say of them."""
    try:
        read_text(text, output, _AnyVariable(text))
    except SettingsError as error:
        found: dict[int, Problem] = {}
        for problem in error.problems:
            if inside := re.match(r"services\[([0-9]+)\]\.?(.*)", problem.where):
                index, where = int(inside.group(1)), inside.group(2)
                what = f"not taken: {where or 'the service'} {problem.what}"
                found.setdefault(index, dataclasses.replace(drafts[index].place, what=what))
        return found
    return {}


def _checked(text: str, output: str) -> tuple[Problem, ...]:
    """Return the warnings of check-config.

    Raises:
        SettingsError: the file does not pass, which is a mistake of this program.
    """
    try:
        remarks = read_text(text, output, _AnyVariable(text)).warnings
        # a key is a variable here, so what is said of it is said of the stand-in
        return tuple(remark for remark in remarks if not remark.where.endswith(".api_key"))
    except SettingsError as error:
        ours = "the file that came out does not pass check-config, so it is not written; "
        problems = [dataclasses.replace(p, what=ours + p.what) for p in error.problems]
        raise SettingsError(problems) from None


def _header(kind: str, count: int) -> str:
    return (
        f"# {count} service(s), written by `service-registry import` from a configuration of "
        f"{kind}.\n# Meaning of every setting: config/README.md; what changed: config/MIGRATION.md."
        "\n# retries: 0 is one request a probe, as before; ours is 2 unless it is said.\n\n"
    )

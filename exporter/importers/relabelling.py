"""Prometheus' relabel_configs, applied to the labels of a target as Prometheus applies them. Pure.

Semantics from prometheus/prometheus, model/relabel/relabel.go (2026-08): a regex matches the whole
text, `$1` and `${name}` in replacement and target_label are groups of it, and a label that becomes
empty is gone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.importers.fields import Fields
from exporter.matching import Groups, groups_of, pattern_mistake
from exporter.settings import FieldPath

_WITH_TARGET = frozenset({"replace", "lowercase", "uppercase", "hashmod", "keepequal", "dropequal"})
_ACTIONS = _WITH_TARGET | {"keep", "drop", "labelmap", "labeldrop", "labelkeep"}
_DEFAULT_REGEX, _DEFAULT_REPLACEMENT, _DEFAULT_SEPARATOR = "(.*)", "$1", ";"
_TEMPLATE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")
Labels = dict[str, str]


class RelabelError(ValueError):
    """Prometheus refuses this rule, or it is newer than this program; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of relabel_configs; `pattern` is anchored."""

    path: FieldPath
    action: str
    sources: tuple[str, ...]
    separator: str
    pattern: str
    target: str
    replacement: str
    modulus: int

    def applied(self, labels: Labels) -> Labels | None:
        """Return *labels* after this rule, None if it drops the target."""
        value = self.separator.join(labels.get(name, "") for name in self.sources)
        match self.action:
            case "keep" | "drop":
                matches = groups_of(self.pattern, value) is not None
                return labels if matches is (self.action == "keep") else None
            case "keepequal" | "dropequal":
                equal = labels.get(self.target, "") == value
                return labels if equal is (self.action == "keepequal") else None
            case "labeldrop" | "labelkeep":
                kept = self.action == "labelkeep"
                return {n: v for n, v in labels.items() if self._matches(n) is kept}
            case "labelmap":
                return self._mapped(labels)
            case "replace":
                return self._replaced(labels, value)
        return _with(labels, self.target, self._changed(value))

    def _matches(self, name: str) -> bool:
        return groups_of(self.pattern, name) is not None

    def _mapped(self, labels: Labels) -> Labels:
        changed = labels
        for name in sorted(labels):
            if (groups := groups_of(self.pattern, name)) is not None:
                changed = _with(changed, _expanded(self.replacement, groups), labels[name])
        return changed

    def _replaced(self, labels: Labels, value: str) -> Labels:
        groups = groups_of(self.pattern, value)
        if groups is None:
            return labels
        target = _expanded(self.target, groups)
        return _with(labels, target, _expanded(self.replacement, groups)) if target else labels

    def _changed(self, value: str) -> str:
        if self.action == "hashmod":
            # the last 8 bytes of the digest, as Prometheus takes them
            digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()[8:]
            return str(int.from_bytes(digest, "big") % self.modulus)
        return value.lower() if self.action == "lowercase" else value.upper()


def rules_of(config: Fields) -> list[Rule]:
    """Return the relabel_configs of a scrape_config.

    Raises:
        RelabelError: a rule cannot be applied.
    """
    return [_rule(fields) for fields in config.each("relabel_configs")]


def relabelled(labels: Labels, rules: Iterable[Rule]) -> Labels | None:
    """Return *labels* after all *rules*, None if one of them drops the target.

    >>> rule = Rule(path=(), action="replace", sources=("a",), separator=";", pattern="^(.*)$",
    ...             target="b", replacement="https://$1/health", modulus=0)
    >>> relabelled({"a": "api.example.com"}, [rule])["b"]
    'https://api.example.com/health'
    """
    found: Labels | None = labels
    for rule in rules:
        if found is None:
            break
        found = rule.applied(found)
    return found


def _rule(fields: Fields) -> Rule:
    action = (fields.text("action") or "replace").lower()
    target, modulus = fields.text("target_label"), fields.number("modulus") or 0
    regex = fields.text("regex") if "regex" in fields else _DEFAULT_REGEX
    if action not in _ACTIONS:
        raise RelabelError("relabel_configs has an action that is not known here")
    if action in _WITH_TARGET and not target:
        raise RelabelError("relabel_configs has a rule without target_label")
    if action == "hashmod" and modulus < 1:
        raise RelabelError("relabel_configs has a hashmod without modulus")
    pattern = f"^(?s:{regex})$"
    if pattern_mistake(pattern):
        raise RelabelError("relabel_configs has a regex that is not valid RE2")
    return Rule(
        path=fields.path,
        action=action,
        sources=tuple(name for _, name in fields.texts("source_labels")),
        separator=fields.text("separator") if "separator" in fields else _DEFAULT_SEPARATOR,
        pattern=pattern,
        target=target,
        replacement=(
            fields.text("replacement") if "replacement" in fields else _DEFAULT_REPLACEMENT
        ),
        modulus=int(modulus),
    )


def _with(labels: Labels, name: str, value: str) -> Labels:
    """Return *labels* with *name*, or without it if the value is empty."""
    others = {n: v for n, v in labels.items() if n != name}
    return others | {name: value} if value else others


def _expanded(template: str, groups: Groups) -> str:
    """Return *template* with its groups, as Go's Regexp.Expand: an unknown one is empty."""

    def group(match: re.Match[str]) -> str:
        return "$" if match[1] else groups.get(match[2] or match[3], "")

    return _TEMPLATE.sub(group, template)

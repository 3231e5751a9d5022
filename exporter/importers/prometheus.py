"""Prometheus' scrape_configs: the jobs that send targets to blackbox_exporter's `/probe`.

Other exporters have a `/probe` too. A job of one of those is named in a warning, and so is each
target that cannot be imported; the others are.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from exporter.importers.credentials import holds_key
from exporter.importers.fields import Fields, duration, seconds
from exporter.importers.relabelling import Labels, RelabelError, Rule, relabelled, rules_of
from exporter.importers.report import Ledger
from exporter.importers.request import ROUTING
from exporter.settings import FieldPath

_NAMES = ("service", "name", "instance")
_DISCOVERY = "targets that Prometheus discovers are not known here; POST them to /api/services"
_OTHER_EXPORTER = "asks another exporter than blackbox_exporter"
_NO_MODULE = "names no module: set params.module or the label __param_module"
_DEFAULT_MODULE = "http_2xx"
"""What blackbox_exporter probes with if the request names no module."""
_EXPORTER = re.compile(
    r"(?:^|[^a-z0-9])(?!blackbox|http|probe|registry|service)[a-z0-9]+[-_]?exporter"
)
# of exporters with targets in the query: snmp, ssl, json, domain, ipmi, modbus, ping, script
_OTHER_PORTS = frozenset({"9116", "9219", "7979", "9222", "9290", "9602", "9427", "9469"})
_PARAMETERS = frozenset({"module", "target", "debug"})
# fields that matter to the scrape of /probe and not to the probe
_SCRAPING_ONLY = frozenset(
    {
        "scheme",
        "honor_labels",
        "honor_timestamps",
        "metric_relabel_configs",
        "scrape_protocols",
        "sample_limit",
        "label_limit",
        "params",
        "metrics_path",
        "basic_auth",
        "tls_config",
        "authorization",
        "bearer_token",
        "bearer_token_file",
        "follow_redirects",
        "enable_http2",
        "scrape_classic_histograms",
        "body_size_limit",
        "track_timestamps_staleness",
        "proxy_url",
    }
)


@dataclass(slots=True, kw_only=True)
class Probed:
    """One target, with the module that probes it and its labels."""

    target: str
    module: str
    name: str
    labels: dict[str, str]
    path: FieldPath
    labels_at: FieldPath
    interval: float
    timeout: float


@dataclass(slots=True, kw_only=True)
class Job:
    """A scrape_config that probes; times are in seconds."""

    name: str
    interval: float
    timeout: float
    interval_at: FieldPath | None
    timeout_at: FieldPath | None
    targets: list[Probed] = field(default_factory=list)

    @property
    def shown_name(self) -> str:
        """The name for a message."""
        return f"job {self.name}" if self.name and not holds_key(self.name) else "the job"


class _NotImportedError(ValueError):
    """A target is not imported; the message says why."""


def is_prometheus(data: dict[str, object]) -> bool:
    """Return whether *data* looks like Prometheus' configuration."""
    return "scrape_configs" in data


def jobs_of(ledger: Ledger, modules: Collection[str]) -> list[Job]:
    """Return the jobs that probe, with those static targets that one of *modules* probes."""
    top = Fields(ledger, (), ledger.data)
    common = top.mapping("global")
    if "scrape_configs" not in top:
        ledger.mistake((), "scrape_configs is missing: this is not a Prometheus configuration")
    if "scrape_config_files" in top:
        message = "no equivalent: further files are not read; import each with its own run"
        ledger.lost(top.at("scrape_config_files"), message)
    jobs = []
    for config in top.each("scrape_configs"):
        if _may_ask_probe(config):
            job = _job(config, common, modules)
            for probed in job.targets:  # a label of the target goes before an external one
                probed.labels = _routing(common) | probed.labels
            jobs.append(job)
        elif _sets(config, "__param_target"):
            name = _new_job(config, common).shown_name
            ledger.lost(config.path, f"{name}: {_OTHER_EXPORTER}; not imported")
    if not jobs and not ledger.report.mistakes:
        ledger.lost(("scrape_configs",), "has no job with metrics_path: /probe")
    return jobs


def _is_probe(path: str) -> bool:
    return path.rstrip("/").endswith("/probe")


def _may_ask_probe(config: Fields) -> bool:
    return _is_probe(config.text("metrics_path")) or _sets(config, "__metrics_path__")


def _sets(config: Fields, label: str) -> bool:
    """Return whether a rule of any job, also one that is not looked at further, sets *label*."""
    rules = config.raw("relabel_configs")
    return isinstance(rules, list) and any(
        isinstance(rule, dict) and rule.get("target_label") == label for rule in rules
    )


def _new_job(config: Fields, common: Fields) -> Job:
    # Prometheus' own defaults are 1m and 10s.
    interval = config.seconds("scrape_interval") or common.seconds("scrape_interval") or 60.0
    timeout = config.seconds("scrape_timeout") or common.seconds("scrape_timeout") or 10.0
    return Job(
        name=config.text("job_name"),
        interval=interval,
        # as Prometheus does with its default when the interval is shorter
        timeout=min(timeout, interval),
        interval_at=_written_at("scrape_interval", config, common),
        timeout_at=_written_at("scrape_timeout", config, common),
    )


def _written_at(name: str, config: Fields, common: Fields) -> FieldPath | None:
    """Return where *name* is written: in the job or, for all jobs, in `global`; None if nowhere."""
    return config.written_at(name) or common.written_at(name)


def _job(config: Fields, common: Fields, modules: Collection[str]) -> Job:
    job, ledger = _new_job(config, common), config.ledger
    try:
        rules = rules_of(config)
    except RelabelError as error:
        ledger.lost(config.path, f"{job.shown_name}: {error}; not imported")
        return job
    refused = _add_targets(job, config, rules, modules)
    # one line for a job that is none of ours, and not one for each of its targets
    if not job.targets and len({why for _, why in refused}) == 1:
        refused = [(config.path, refused[0][1])]
    for path, why in refused:
        ledger.lost(path, f"{job.shown_name}: {why}; not imported")
    if job.targets or not refused:
        _report_lost(config, rules)
    return job


def _report_lost(config: Fields, rules: list[Rule]) -> None:
    """Report the fields and parameters of a job that have no equivalent."""
    ledger, params = config.ledger, config.mapping("params")
    config.skip(*_SCRAPING_ONLY)
    for name in config.unread():
        if name.endswith("_sd_configs"):
            ledger.lost(config.at(name), f"no equivalent: {_DISCOVERY}")
        else:
            ledger.lost(config.at(name), "no equivalent: this field is not known here")
    message = "no equivalent: /probe has no such parameter here"
    for name in params.names():
        if name not in _PARAMETERS:
            ledger.lost(params.at(name), message)
    for rule in rules:
        name = rule.target.removeprefix("__param_")
        if name != rule.target and name not in _PARAMETERS and "$" not in name:
            ledger.lost(rule.path, message)


def _add_targets(
    job: Job, config: Fields, rules: list[Rule], modules: Collection[str]
) -> list[tuple[FieldPath, str]]:
    """Add the static targets to *job*; return the paths of those left out, and why."""
    fixed, refused = config.mapping("params").texts("target"), []
    common = _job_labels(job, config)
    for group in config.each("static_configs"):
        own = group.text_map("labels")
        for path, address in group.texts("targets"):
            # Only what a group does not set comes from the job.
            labels = common | {n: v for n, v in own.items() if v} | {"__address__": address}
            where = fixed[0][0] if fixed else path
            try:
                probed = _probed(job, labels, rules, modules, (where, group.at("labels")))
            except _NotImportedError as error:
                refused.append((where, str(error)))
                continue
            # several exporters that probe the same target are one service
            if not fixed or probed not in job.targets:
                job.targets.append(probed)
    return refused


def _job_labels(job: Job, config: Fields) -> Labels:
    """Return the labels that Prometheus gives every target of a job before relabelling."""
    params = config.mapping("params")
    first = {f"__param_{n}": params.texts(n)[0][1] for n in params.names() if params.texts(n)}
    return {
        "job": job.name,
        "__metrics_path__": config.text("metrics_path") or "/metrics",
        "__scheme__": config.text("scheme") or "http",
        "__scrape_interval__": duration(job.interval),
        "__scrape_timeout__": duration(job.timeout),
        **first,
    }


def _probed(
    job: Job,
    labels: Labels,
    rules: list[Rule],
    modules: Collection[str],
    paths: tuple[FieldPath, FieldPath],
) -> Probed:
    """Return the target that *labels* become.

    Raises:
        _NotImportedError: it is dropped, or not for one of *modules*.
    """
    final = relabelled(labels, rules)
    if final is None:
        raise _NotImportedError("is dropped by relabel_configs, as in Prometheus")
    if not _is_probe(final.get("__metrics_path__", "")):
        raise _NotImportedError(_OTHER_EXPORTER)
    target = _target(labels, final, rules)
    module = _module(labels, final, modules)
    used = {name for r in rules if r.target == "__param_module" for name in r.sources}
    try:
        interval, timeout = _times(final)
    except ValueError:
        raise _NotImportedError("has a scrape_interval that is no duration") from None
    return Probed(
        target=target,
        module=module,
        name=next((final[n] for n in _NAMES if final.get(n)), target),
        labels=_own_labels(final, {"job": job.name}, used),
        path=paths[0],
        labels_at=paths[1],
        interval=interval,
        timeout=timeout,
    )


def _routing(common: Fields) -> Labels:
    """Return those external labels that say who is told: Prometheus puts them on every alert."""
    external = common.text_map("external_labels")
    return {name: value for name, value in external.items() if name.lower() in ROUTING}


def _own_labels(final: Labels, implied: Labels, used: Collection[str]) -> Labels:
    """Return the labels that a person gave, without those that say what is known anyway."""
    return {
        name: value
        for name, value in final.items()
        if not name.startswith("__") and name not in _NAMES and name not in used
        if implied.get(name) != value
    }


def _target(labels: Labels, final: Labels, rules: list[Rule]) -> str:
    """Return what is probed.

    Raises:
        _NotImportedError: the rules leave nothing.
    """
    target = final.get("__param_target", "")
    if not target and not any(map(_may_set_target, rules)):
        target = labels["__address__"]  # no rule passes it on: as written
    if not target:
        raise _NotImportedError("has no target after relabel_configs")
    return target


def _may_set_target(rule: Rule) -> bool:
    return rule.action == "labelmap" or rule.target == "__param_target" or "$" in rule.target


def _times(final: Labels) -> tuple[float, float]:
    return seconds(final.get("__scrape_interval__")), seconds(final.get("__scrape_timeout__"))


def _module(labels: Labels, final: Labels, modules: Collection[str]) -> str:
    """Return the module that probes the target.

    Raises:
        _NotImportedError: it is none of *modules*, or one of another exporter.
    """
    module, address = final.get("__param_module", ""), final.get("__address__", "")
    # an address that no rule replaced may be the API's own
    asks_blackbox = None
    if address != labels["__address__"] or "__param_target" in labels:
        asks_blackbox = _is_blackbox(address)
    if asks_blackbox is False:
        raise _NotImportedError(_OTHER_EXPORTER)
    if not module and asks_blackbox and _DEFAULT_MODULE in modules:
        return _DEFAULT_MODULE
    if not module:
        raise _NotImportedError(_NO_MODULE)
    if module not in modules:
        raise _NotImportedError("names a module that is not in the blackbox_exporter file")
    return module


def _is_blackbox(address: str) -> bool | None:
    """Return whether *address* is blackbox_exporter's by its name or port; None if it is unclear.

    >>> [_is_blackbox(address) for address in ("10.0.0.1:9115", "ssl-exporter:9219", "prober:80")]
    [True, False, None]
    """
    host, _, port = address.lower().rpartition(":")
    host = host or port
    if "blackbox" in host or port == "9115":
        return True
    return False if _EXPORTER.search(host) or port in _OTHER_PORTS else None

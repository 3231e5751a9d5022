"""Prometheus' scrape_configs: the jobs that send targets to blackbox_exporter's `/probe`."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.importers.fields import Fields
from exporter.importers.report import Ledger
from exporter.settings import FieldPath

_NAMES = ("service", "name", "instance")
_DISCOVERY = "targets that Prometheus discovers are not known here; POST them to /api/services"
# the labels by which blackbox_exporter's examples pass the target on
_USUAL_TARGETS = frozenset({"__param_target", "instance", "__address__", "__param_module"})
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


@dataclass(slots=True, kw_only=True)
class Job:
    """A scrape_config that probes; times are in seconds."""

    name: str
    interval: float
    timeout: float
    interval_at: FieldPath | None
    timeout_at: FieldPath | None
    targets: list[Probed] = field(default_factory=list)


def is_prometheus(data: dict[str, object]) -> bool:
    """Return whether *data* looks like Prometheus' configuration."""
    return "scrape_configs" in data


def jobs_of(ledger: Ledger) -> list[Job]:
    """Return the jobs that probe, with their static targets."""
    top = Fields(ledger, (), ledger.data)
    common = top.mapping("global")
    if "scrape_configs" not in top:
        ledger.mistake((), "scrape_configs is missing: this is not a Prometheus configuration")
    if "scrape_config_files" in top:
        message = "no equivalent: further files are not read; import each with its own run"
        ledger.lost(top.at("scrape_config_files"), message)
    jobs = []
    for config in top.each("scrape_configs"):
        if config.text("metrics_path").rstrip("/").endswith("/probe"):
            jobs.append(_job(config, common))
    if not jobs and not ledger.report.mistakes:
        ledger.lost(("scrape_configs",), "has no job with metrics_path: /probe")
    return jobs


def _job(config: Fields, common: Fields) -> Job:
    ledger = config.ledger
    # Prometheus' own defaults are 1m and 10s.
    interval = config.seconds("scrape_interval") or common.seconds("scrape_interval") or 60.0
    timeout = config.seconds("scrape_timeout") or common.seconds("scrape_timeout") or 10.0
    job = Job(
        name=config.text("job_name"),
        interval=interval,
        # as Prometheus does with its default when the interval is shorter
        timeout=min(timeout, interval),
        interval_at=_written_at("scrape_interval", config, common),
        timeout_at=_written_at("scrape_timeout", config, common),
    )
    modules, fixed = _parameters(config.mapping("params"))
    relabelled = _relabelling(config)
    config.skip(*_SCRAPING_ONLY)
    for group in config.each("static_configs"):
        labels = group.text_map("labels")
        module = labels.get("__param_module") or relabelled.module(labels) or modules
        if not module:
            ledger.mistake(
                group.path, "names no module: set params.module or the label __param_module"
            )
            continue
        for path, target in fixed or group.texts("targets"):
            kept = {n: v for n, v in labels.items() if n not in relabelled.sources}
            job.targets.append(_probed(target, module, kept, path, group.at("labels")))
    for name in config.unread():
        if name.endswith("_sd_configs"):
            ledger.lost(config.at(name), f"no equivalent: {_DISCOVERY}")
        else:
            ledger.lost(config.at(name), "no equivalent: this field is not known here")
    return job


def _written_at(name: str, config: Fields, common: Fields) -> FieldPath | None:
    """Return where *name* is written: in the job or, for all jobs, in `global`; None if nowhere."""
    return config.written_at(name) or common.written_at(name)


def _parameters(params: Fields) -> tuple[str, list[tuple[FieldPath, str]]]:
    """Return the module and the fixed targets of a job."""
    modules = [text for _, text in params.texts("module")]
    fixed = params.texts("target")
    params.skip("debug")
    for name in params.unread():
        params.ledger.lost(params.at(name), "no equivalent: /probe has no such parameter here")
    return (modules[0] if modules else ""), fixed


def _probed(
    target: str, module: str, labels: dict[str, str], path: FieldPath, at: FieldPath
) -> Probed:
    name = next((labels[n] for n in _NAMES if labels.get(n)), target)
    kept = {n: v for n, v in labels.items() if not n.startswith("__") and n not in _NAMES}
    return Probed(target=target, module=module, name=name, labels=kept, path=path, labels_at=at)


@dataclass(slots=True)
class _Relabelling:
    """`sources` are the labels whose value is relabelled to the module."""

    sources: list[str]

    def module(self, labels: dict[str, str]) -> str:
        """Return the module that *labels* name, empty if they do not."""
        return next((labels[name] for name in self.sources if labels.get(name)), "")


def _relabelling(config: Fields) -> _Relabelling:
    sources = []
    for rule in config.each("relabel_configs"):
        target, source_labels = rule.text("target_label"), rule.texts("source_labels")
        regex, action = rule.text("regex"), rule.text("action") or "replace"
        rule.skip("replacement", "separator")
        simple = action == "replace" and regex in ("", "(.*)", "(.+)", ".*")
        if target == "__param_module" and simple and len(source_labels) == 1:
            sources.append(source_labels[0][1])
        elif target not in _USUAL_TARGETS or not simple:
            message = (
                "no equivalent: targets and labels are imported as written, before relabelling"
            )
            config.ledger.lost(rule.path, message)
    return _Relabelling(sources)

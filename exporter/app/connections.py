"""Who follows whom: what was loaded, and changes of the registry, reach all who keep a copy."""

from __future__ import annotations

from exporter.app.parts import Parts


def connect(parts: Parts) -> None:
    """Subscribe: what was loaded goes to those it configures, a change to all who keep one."""
    kept = (parts.registry, parts.modules, parts.web, parts.peers, parts.notifier)
    parts.redaction.watch(*(room.secrets for room in kept))
    parts.loader.subscribe(lambda configuration: parts.modules.activate())
    parts.loader.subscribe(parts.notifier.follow)
    parts.loader.subscribe(lambda configuration: parts.redaction.refresh())
    parts.loader.subscribe(parts.canaries.follow)
    parts.loader.subscribe(parts.response.follow)
    parts.canaries.on_return(parts.scheduler.recover)
    parts.loader.subscribe(parts.retention.follow)
    parts.loader.subscribe(parts.models.follow_configuration)
    parts.pages.subscribe(parts.recording.status_page)
    for follower in (
        parts.results.follow,
        parts.history.follow,
        parts.minutes.follow,
        parts.failures.follow,
        parts.own.traffic.follow,
        parts.sessions.follow,
        lambda change: parts.redaction.refresh(),
        lambda change: parts.pages.set_pages(parts.registry.status_pages()),
        parts.leads.follow,
        lambda change: parts.quotas.set_targets(parts.registry),
        lambda change: parts.model_lists.set_targets(parts.registry),
        lambda change: parts.next_keys.set_targets(parts.registry),
        parts.exposition.follow,
        parts.models.follow,
        parts.scheduler.follow,
    ):
        parts.registry.subscribe(follower)
    parts.own.traffic.known = parts.registry.__contains__
    parts.own.watch(
        scheduler=parts.scheduler,
        canaries=parts.canaries,
        loader=parts.loader,
        incidents=parts.incidents,
        statuses=parts.exposition.statuses,
    )

"""What is known of the end of what a service uses, as JSON."""

from __future__ import annotations

from exporter.api.app_keys import Json
from exporter.api.shapes import BOOLEAN, NUMBER, TEXT, Schema, array, nullable, record
from exporter.config import Target
from exporter.results import Tally, deprecations, ends, gone

RETIREMENT: Schema = array(
    record(
        resource=TEXT,
        listed=nullable(BOOLEAN),
        gone_at=nullable(NUMBER),
        deprecated_at=nullable(NUMBER),
        sunset_at=nullable(NUMBER),
        links={"type": "object", "additionalProperties": TEXT},
        fact=nullable(record(sunset=TEXT, source=TEXT, read_at=TEXT)),
    )
)


def retirement_of(target: Target, tally: Tally) -> list[Json]:
    """Return what is known of each resource of which anything is; times are Unix times.

    `fact` is where a day was announced that no answer has, and when that was read.
    """
    radar, used = tally.radar, target.uses
    if radar is None and not used.facts:
        return []
    since, end = dict(deprecations(radar, used)), dict(ends(radar, used))
    left = {model: at for (model, _), at in reversed(gone(radar))}
    listed = radar.listed if radar is not None else {}
    found = []
    for name in used.resources:
        fact = used.facts.get(name)
        if not (name in since or name in end or name in left or name in listed):
            continue
        seen = radar.of(name) if radar is not None else ()
        found.append(
            {
                "resource": name,
                "listed": listed.get(name),
                "gone_at": left.get(name),
                "deprecated_at": since.get(name),
                "sunset_at": end.get(name),
                "links": dict(link for one in seen for link in one.notice.links),
                "fact": None
                if fact is None
                else {"sunset": fact.sunset, "source": fact.source, "read_at": fact.read_at},
            }
        )
    return found

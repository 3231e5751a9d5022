"""What numbers and labels of the exporter are called on a dashboard, and in which colour.

Derived from the exporter's own vocabulary, so that a new reason or verdict cannot be forgotten. The
colours stay apart for those who see red and green alike and from a dark and a light panel, the text
that Grafana puts on each can be read (all tested), and each comes with a text.
"""

from __future__ import annotations

from typing import Any, get_args

from exporter.config.severities import Severity
from exporter.model import FACTS, PHASES, Reason, Verdict, advice_of
from exporter.statuspages import State as PageState

Json = dict[str, Any]

OK, NO_DATA = "#00805A", "#B8B8B8"
MAINTENANCE, REQUEST, QUOTA, CREDENTIAL = "#7CCBFF", "#3A21E5", "#AA6000", "#FBB61C"
PROVIDER, MONITORING, NETWORK = "#8E001A", "#816395", "#850DA1"
BAD, WARN = PROVIDER, CREDENTIAL
THIN_BAD = "#E5484D"
"""The same as BAD for a thin line, which has no word on it and has to be seen on dark and light."""
PLAIN, CLEAR = "text", "transparent"
"""No meaning: of a text; of a background, where `text` would be the brightest tile of all."""

IN_MAINTENANCE, WITHOUT_DATA = 2, 3
CODES = {
    Verdict.OK: 1,
    Verdict.REQUEST: 4,
    Verdict.QUOTA: 5,
    Verdict.CREDENTIAL: 6,
    Verdict.PROVIDER: 7,
    Verdict.MONITORING: 8,
    Verdict.NETWORK: 9,
}
"""A state as a number, the worst the highest: what services and exporters are reduced by. NO DATA
is worse than OK, or one service that is well would hide any number that nobody looks at."""
assert set(CODES) == set(Verdict)

VERDICTS: dict[Verdict, tuple[str, str]] = {
    Verdict.OK: ("OK", OK),
    Verdict.REQUEST: ("OUR REQUEST", REQUEST),
    Verdict.QUOTA: ("OUR QUOTA", QUOTA),
    Verdict.CREDENTIAL: ("OUR KEY", CREDENTIAL),
    Verdict.PROVIDER: ("THE PROVIDER", PROVIDER),
    Verdict.MONITORING: ("MONITORING", MONITORING),
    Verdict.NETWORK: ("OUR NETWORK", NETWORK),
}
STATES: dict[int, tuple[str, str]] = {
    IN_MAINTENANCE: ("MAINTENANCE", MAINTENANCE),
    WITHOUT_DATA: ("NO DATA", NO_DATA),
    **{code: VERDICTS[verdict] for verdict, code in CODES.items()},
}
PUBLIC: dict[int, tuple[str, str]] = {
    CODES[Verdict.OK]: ("OPERATIONAL", OK),
    IN_MAINTENANCE: ("MAINTENANCE", MAINTENANCE),
    WITHOUT_DATA: ("NO DATA", NO_DATA),
    WITHOUT_DATA + 1: ("DISRUPTED", PROVIDER),
}
UNSEEN, HIDDEN = "no_data", "our_network"
"""The reason of a service that no exporter watches, and of one that our own network hides."""
SEVERITIES: tuple[str, ...] = get_args(Severity)
SEVERITY_COLOURS = dict(zip(SEVERITIES, (BAD, WARN, QUOTA, MAINTENANCE), strict=True))
GRADES = {name: len(SEVERITIES) - i for i, name in enumerate(SEVERITIES)}
"""A severity as a number: as words `low` would sort before `medium`."""
MUTED = 0
"""The grade of an alert about a service in maintenance: nobody is told."""
SUCCESSES = tuple(r for r in Reason if FACTS[r].verdict is Verdict.OK)
PAGE_STATES = tuple(PageState)
_PAGE_COLOURS = {
    PageState.OPERATIONAL: OK,
    PageState.DEGRADED: QUOTA,
    PageState.PARTIAL_OUTAGE: WARN,
    PageState.MAJOR_OUTAGE: BAD,
    PageState.MAINTENANCE: MAINTENANCE,
    PageState.UNKNOWN: NO_DATA,
}


def mapping(
    words: dict[int, tuple[str, str]] | dict[str, tuple[str, str]], missing: str = "NO DATA"
) -> list[Json]:
    """Return value mappings to *words*; what is not there is called *missing*."""
    options = {
        str(value): {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(sorted(words.items()))
    }
    return [{"type": "value", "options": options}, *nothing(len(options), missing)]


def nothing(index: int = 0, text: str = "NO DATA", colour: str = NO_DATA) -> list[Json]:
    """Return the mapping of a missing value: grey, so that it never looks healthy."""
    result = {"text": text, "color": colour, "index": index}
    return [{"type": "special", "options": {"match": "null+nan", "result": result}}]


def states() -> list[Json]:
    """Map the codes of `queries.state`."""
    return mapping(STATES)


def grades() -> list[Json]:
    """Map the codes of `queries.grade`."""
    found = {code: (name.upper(), SEVERITY_COLOURS[name]) for name, code in GRADES.items()}
    return mapping({**found, MUTED: ("MUTED", CLEAR)})


def reasons() -> list[Json]:
    """Map the label `reason` to the words of `exporter_reason_info`."""
    words = {
        str(reason): (f"{facts.fault} ({reason}): {facts.advice}", VERDICTS[facts.verdict][1])
        for reason, facts in FACTS.items()
    }
    no_data = f"no data: {advice_of(Reason.OK, Verdict.MONITORING)}"
    hidden = advice_of(Reason.CONNECT, Verdict.NETWORK), VERDICTS[Verdict.NETWORK][1]
    return [mapping(words | {UNSEEN: (no_data, NO_DATA), HIDDEN: hidden})[0]]


def spent() -> list[Json]:
    """Map a time that is left: 0 is of what is spent, nobody knows since when."""
    return mapping({0: ("SPENT", BAD)}, missing="–")


def pages() -> list[Json]:
    """Map the codes of `queries.page_state`."""
    return mapping(
        {
            code: (state.replace("_", " ").upper(), _PAGE_COLOURS[state])
            for code, state in enumerate(PAGE_STATES)
        }
    )


def yes_no(yes: str, no: str, *, good: bool | None = None, missing: str = "NO DATA") -> list[Json]:
    """Map 1 and 0; *good* is the value that is well, None if neither is."""
    colours = {None: (CLEAR, CLEAR), True: (BAD, OK), False: (OK, BAD)}[good]
    return mapping({0: (no, colours[0]), 1: (yes, colours[1])}, missing)


_OF_PROVIDER = {
    Reason.SERVER_ERROR: PROVIDER,
    Reason.OVERLOADED: "#B87E8F",
    Reason.BAD_BODY: "#C83B53",
    Reason.PROTOCOL: "#69343D",
    Reason.TIMEOUT: "#FC9086",
    Reason.CONNECT: "#E26A4A",
    Reason.DNS: "#FF247B",
    Reason.TLS: "#84265B",
    Reason.MAINTENANCE: MAINTENANCE,
}
"""Reds that stay apart for everybody: an outage often has several of these reasons in one chart."""
assert set(_OF_PROVIDER) == {r for r in Reason if FACTS[r].verdict is Verdict.PROVIDER}
SHADES = {
    str(reason): _OF_PROVIDER.get(reason, VERDICTS[facts.verdict][1])
    for reason, facts in FACTS.items()
}
"""The colour of what is named by a reason: that of its verdict, a shade of it, or one that says
the same."""
PHASE_COLOURS = dict(
    zip(
        map(str, PHASES),
        ("super-light-blue", "light-blue", "blue", "semi-dark-purple", "light-purple"),
        strict=True,
    )
)
"""Blue is the way to the provider, purple the provider itself; none says good or bad."""
GLANCE = {
    "healthy": OK,
    "degraded": WARN,
    "unhealthy": BAD,
    "unknown": NO_DATA,
    "disabled": MAINTENANCE,
}
"""The colour of a state of `exporter_services`."""


def steps(*pairs: tuple[float | None, str]) -> Json:
    """Return absolute thresholds; the first pair has None for minus infinity."""
    return {"mode": "absolute", "steps": [{"value": v, "color": c} for v, c in pairs]}


NEUTRAL, OF_TEXT = steps((None, CLEAR)), steps((None, PLAIN))
COUNT_OF_BAD = steps((None, CLEAR), (1, BAD))
BUDGET = steps((None, BAD), (0, WARN), (0.25, OK))
AVAILABILITY = steps((None, BAD), (0.99, WARN), (0.999, OK))
DAY = 86400
REMAINING = steps((None, BAD), (3 * DAY, WARN), (14 * DAY, OK))

"""An hour of trouble with the real programs: every message that is to be sent, and no other.

On clocks that run 20 times faster, for tests/test_story.py and tests/test_story_victoria.py. The
list of what was sent is printed if it is not the right one; `pytest -s` always prints it.
"""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.chain import GOOD, SPEED, Answer, Chain, chain, of_the_machine

KEY = "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz"
OTHER_KEY = "rk_test_0123456789abcdefghij"
QUICK = {"interval": "1s", "timeout": "1s", "retries": 0, "allow_private_addresses": True}
REJECTED = {"error": {"type": "invalid_request_error", "code": "invalid_api_key"}}
FIRING, OVER = STATES = ("firing", "over")
URGENT = ("slack", "mail", "webhook")
PAGE = ("pagerduty", *URGENT)
SLOW_START, GROUP_WAIT = 120 / SPEED, 180 / SPEED
"""Seconds within which all that was killed is back, unless the machine is busy: the two minutes
that ExporterDown waits for. And for which Alertmanager waits with what is high."""
MUTED = [(URGENT, what) for what in ("blip", "nobody", "stripe")]
"""Lesser alerts of what was told. An Alertmanager before 0.30 that is back tells at once of what
fires for longer than it waits for, perhaps before it has heard of what mutes that; newer ones have
--dispatch.start-delay."""
_UNDER_WAY = 1.0
"""Seconds from the arrival of a message until Alertmanager has noted that it has sent it."""
Message = tuple[str, str, str]
"""Medium, whether it is over, and what the message is about."""


def services(url: str) -> str:
    """Return what is watched: six APIs of our own, two of each of two providers, a canary."""
    # Critical comes two minutes after high, as it does with a probe a minute.
    alerts: dict[str, Any] = {
        "critical_after": 9,
        "key_invalid_after": "2s",
        "escalate_after": ["10m", "20m"],
    }
    special: dict[str, dict[str, Any]] = {
        "slow": {"team": "speed", "alerts": {**alerts, "latency_p95": "300ms"}},
        "limited": {"team": "limits"},
        "nobody": {"alerts": {**alerts, "escalate_after": ["20s", "20m"]}},
    }
    names = ("blip", "slow", "limited", "nobody", "fine", "well")
    rows = [{"id": name, "base_url": f"{url}/{name}/", **special.get(name, {})} for name in names]
    for provider, key in (("openai", KEY), ("stripe", OTHER_KEY)):
        rows += [
            {
                "id": f"{provider}-{letter}",
                "provider": provider,
                "api_key": key,
                "base_url": f"{url}/{provider}/{letter}",
                "status_page": {"enabled": False},
                # Its changes are many in what stands for 30 minutes, and a killed probe
                # shifts the failures of the one that flaps.
                "alerts": {**alerts, "flapping": 1000, "critical_after": 50},
            }
            for letter in "ab"
        ]
    canary = {"url": f"{url}/canary", "expected_status_codes": [200], **QUICK}
    defaults = {"team": "platform", "health_check": QUICK, "alerts": alerts}
    return json.dumps({"defaults": defaults, "canaries": [canary], "services": rows})


ABOUT = {
    "Our own network": "network",
    "MonitoringNetworkDown": "network",
    "stripe": "stripe",
    "blip": "blip",
    "nobody": "nobody",
    "openai-a": "openai-a",
    "openai-b": "openai-b",
    "limited": "limited",
    "slow": "slow",
    "Prometheus cannot scrape an exporter": "exporter",
    "ExporterDown": "exporter",
}


def expected() -> Counter[Message]:
    """Return every message of the story, each sent once when it begins and once when it is over."""
    told: list[tuple[tuple[str, ...], str]] = [
        (PAGE, "network"),
        (PAGE, "blip"),
        (PAGE, "stripe"),
        (PAGE, "nobody"),
        (("pagerduty", "mail"), "escalation nobody"),
        (URGENT, "openai-a"),
        (URGENT, "openai-b"),
        (("mail",), "limited"),
        (("mail",), "slow"),
        (PAGE, "exporter"),
    ]
    return _both_ways(told)


def _both_ways(told: Iterable[tuple[tuple[str, ...], str]]) -> Counter[Message]:
    """Return the messages about what was *told*, by media: when it begins and when it is over."""
    return Counter(
        (medium, state, what)
        for media, what in told
        for medium in media
        for state in (FIRING, OVER)
    )


def sent(running: Chain) -> list[tuple[float, Message, str]]:
    """Return when what was sent, and its title, in order."""
    found = []
    for mail in running.mail.items:
        state = OVER if "RESOLVED" in mail.subject else FIRING
        what = "escalation " * mail.subject.startswith("Escalation") + _about(mail.subject)
        found.append((mail.at, ("mail", state, what), mail.subject))
    for got in running.web.items:
        body = got.body
        if got.path == "/slack":
            title = body["attachments"][0]["title"]
            found.append((got.at, ("slack", _state("RESOLVED" in title), _about(title)), title))
        elif got.path == "/webhook":
            titles = sorted({alert["annotations"]["summary"] for alert in body["alerts"]})
            state = _state(body["status"] == "resolved")
            found.append((got.at, ("webhook", state, _about(titles[0])), "; ".join(titles)))
        elif got.path == "/pagerduty":
            title = body["payload"]["summary"]
            over = body["event_action"] == "resolve"
            unresolved = "nobody has acknowledged" in title or "ServiceUnresolved" in title
            what = "escalation " * unresolved + _about(title)
            found.append((got.at, ("pagerduty", _state(over), what), title))
    return sorted(found)


def _state(over: bool) -> str:
    return OVER if over else FIRING


def _about(title: str) -> str:
    return next((what for words, what in ABOUT.items() if words in title), title)


def _down(status: int = 503) -> Answer:
    return Answer(status, {"error": "try later"})


def _flapping() -> Iterator[Answer]:
    """Yield four failures and a success, again and again: never five in a row."""
    good = Answer(200, GOOD["openai"])
    return itertools.cycle([*[_down()] * 4, good])


def _halted(running: Chain, seconds: float) -> None:
    """Stop the exporter for so long that scrapes fail, as a busy machine does."""
    running.exporter.signal(signal.SIGSTOP)
    time.sleep(seconds)  # the gap is what is tested
    running.exporter.signal(signal.SIGCONT)


def _blip(running: Chain) -> float:
    """Take our network away, let an API fail meanwhile, and give the network back.

    Returns when that was.
    """
    running.provider.disconnect()
    running.until("told of our network", lambda: running.pages("network"))
    running.provider.answers["/blip/"] = _down()
    running.provider.connect()
    connected = time.monotonic()
    running.until("told that it is back", lambda: running.pages("MonitoringNetworkDown", "resolve"))
    return connected


def _trouble(running: Chain) -> tuple[float, float, float]:
    """Everything at once, while each program is killed and comes back.

    Returns until when Alertmanager surely knows what it sent, when that began, and when all were
    back.
    """
    answers = running.provider.answers
    answers["/openai/a/"] = Answer(401, REJECTED)
    answers["/openai/b/"] = _flapping()
    answers["/stripe/"] = _down()
    answers["/nobody/"] = _down(500)
    answers["/slow/"] = Answer(200, {"status": "ok"}, {}, 0.6)
    answers["/limited/"] = Answer(429, {"error": "slow down"}, {"Retry-After": "2"})
    for what in ("blip", "stripe", "nobody"):
        running.until(f"page of {what}", lambda what=what: running.pages(what))
    known = time.monotonic() - _UNDER_WAY
    running.remembered()
    begun = time.monotonic()
    for one in (running.alertmanager, *running.engine, running.exporter):
        one.kill()
        one.start()
    back = time.monotonic()
    running.until("escalated", lambda: running.mails("nobody", "Escalation 1"), 90)
    (incident,) = running.incidents(service="nobody", status="open")
    running.ask(f"/api/incidents/{incident['id']}/acknowledge", {"by": "ann"})
    running.until("the rest", lambda: running.mails("slow", "MEDIUM"), 90)
    running.until("the rest", lambda: running.mails("limited", "MEDIUM"), 90)
    running.until("the rest", lambda: running.mails("openai-b", "HIGH"), 90)
    running.until("the rest", lambda: running.mails("openai-a", "HIGH"), 90)
    return known, begun, back


def _mended(running: Chain) -> None:
    running.provider.answers.clear()
    running.ask("/api/services/openai-a/key", {"api_key": KEY[::-1], "force": True}, "PUT")
    running.calm()


def _gone(running: Chain) -> None:
    """End the exporter until somebody is told of it."""

    def told() -> tuple[int, int]:
        return len(running.pages("exporter")), len(running.pages("ExporterDown", "resolve"))

    begun, over = told()
    running.exporter.end()
    running.until_sent("exporter", lambda: told()[0] > begun)
    running.exporter.start()
    running.until_sent("exporter", lambda: told()[1] > over)


def check_every_message(folder: Path, *, victoria: bool) -> None:
    """Play the hour and compare what was sent with what is `expected`."""
    with chain(folder, services, victoria=victoria) as running:
        running.calm()
        began = time.monotonic()
        _halted(running, 3)
        first = _blip(running)
        known, killed, back = _trouble(running)
        _mended(running)
        _gone(running)
        running.calm()
        for what in ("slow", "limited"):  # a digest comes every half hour
            running.until(
                f"the end of {what}", lambda what=what: running.mails(what, "RESOLVED"), 120
            )
        running.marked()
        told = [
            one for one in sent(running) if "marker" not in one[2] and not of_the_machine(one[2])
        ]

    lines = [
        f"killed {killed - first:.1f} s after the first failure, back {back - killed:.1f} s later"
    ]
    lines += [
        f"{(at - began) * SPEED / 60:5.1f} min  {medium:9} {state:6}  {title}"
        for at, (medium, state, _), title in told
    ]
    print("", *lines, sep="\n")
    messages, wanted = Counter(message for _, message, _ in told), expected()
    allowed: list[tuple[tuple[str, ...], str]] = []
    if back - killed > SLOW_START:
        allowed.append((PAGE, "exporter"))
    if back - first > GROUP_WAIT:
        allowed += MUTED
    # What was sent since the last snapshot is sent again, as it must.
    again = Counter(message for at, message, _ in told if known <= at <= killed)
    more = messages - wanted - again
    ends = {state: {(medium, what) for medium, at, what in more if at == state} for state in STATES}
    assert wanted <= messages, "\n".join(lines)
    assert more <= _both_ways(allowed), "\n".join(lines)
    assert ends[FIRING] == ends[OVER], "\n".join(lines)

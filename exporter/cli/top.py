"""`top`: the services of a running exporter, worst first, as they change."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console, Group
from rich.live import Live as Drawing
from rich.table import Table
from rich.text import Text

from exporter.cli.asking import ask, format_time, print_table, table_width
from exporter.cli.remote_arguments import SORTS
from exporter.cli.terminal import Background, is_interactive, keys
from exporter.cli.usage import RefusedError, UsageError, sentence
from exporter.clock import SystemClock
from exporter.results import CUSTOM, Status, causes_in_words, kind_of
from exporter.retirement import API

Row = dict[str, Any]
_RANK = {Status.UNHEALTHY: 0, Status.DEGRADED: 1, Status.UNKNOWN: 2, Status.HEALTHY: 3}
_STYLES = {
    "unhealthy": "bold red",
    "degraded": "yellow",
    "healthy": "green",
    "maintenance": "cyan",
}
_KEY_SECONDS = 0.25
"""How long a key is waited for; so often the size of the terminal is looked at."""
_LINES_AROUND = 3
"""The headline, the head of the table, and the keys."""
_ROOMY, _WIDE, _MEDIUM = 130, 110, 80
"""Columns from which a terminal has room for reasons, and for more columns of the table."""
_NAME = 20
"""Columns that a name has at least where something else can be cut: rows are told apart by it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the exporter answered, or why it did not."""

    services: tuple[Row, ...] = ()
    at: float = 0.0
    why_not: str = ""
    offline_since: float | None = None
    """Since when no canary answers, a Unix time; None while our network works."""


@dataclass(slots=True)
class Choice:
    """Which services are shown, in which order, from which on."""

    sort: str = "worst"
    fault: str = ""
    team: str = ""
    environment: str = ""
    first: int = 0

    def rows(self, services: Iterable[Row], now: float) -> list[Row]:
        """Return the chosen ones of *services* in order."""
        found = [row for row in services if self._is_chosen(row)]
        return sorted(found, key=lambda row: _order(row, self.sort, now))

    def press(self, key: str, services: Sequence[Row], room: int) -> bool:
        """Do what *key* asks for; return whether to go on."""
        last = max(0, len(self.rows(services, 0.0)) - room)
        match key:
            case "q" | "Q":
                return False
            case "s":
                self.sort = _next(SORTS, self.sort)
            case "f":
                self.fault = _next(("", *_present(services, "verdict", "ok")), self.fault)
            case "t":
                self.team = _next(("", *_present(services, "team")), self.team)
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -room, "page down": room}
        moves |= {" ": room, "home": -last, "end": last}
        first = 0 if key in "sft" else self.first + moves.get(key, 0)
        self.first = min(max(0, first), last)
        return True

    def _is_chosen(self, row: Row) -> bool:
        return (
            self.fault in ("", row["verdict"])
            and self.team in ("", row["team"])
            and self.environment in ("", row["environment"])
        )


def run_top(arguments: argparse.Namespace) -> int:
    """Show the services until `q`; without a terminal print them once.

    Return 0; printed once, return 1 if a service that is shown fails.

    Raises:
        UsageError: no exporter answers at the start, or the interval cannot be used.
        RefusedError: it refuses.
    """
    if not 0.2 <= arguments.interval <= 3600:
        raise UsageError("--interval must be from 0.2 to 3600 seconds, such as 2")
    choice = Choice(arguments.sort, arguments.fault, arguments.team, arguments.environment)
    look = _look(arguments.url)  # a wrong --url is told before the screen is taken over
    if arguments.once or not is_interactive():
        return _print_once(look, choice)
    console = Console(highlight=False)
    background = Background(lambda: _look_again(arguments.url), arguments.interval)
    try:
        with keys() as pressed, Drawing(console=console, screen=True, auto_refresh=False) as live:
            _show(live, look, choice, background=background, pressed=pressed, url=arguments.url)
    except KeyboardInterrupt:
        pass
    finally:
        background.end()
    return 0


def _show(
    live: Drawing,
    look: Look,
    choice: Choice,
    *,
    background: Background[Look],
    pressed: Callable[[float], list[str]],
    url: str,
) -> None:
    """Draw, and draw again at each key, answer and change of the terminal's size, until `q`."""
    size, drawn = None, False
    while True:
        room = max(1, live.console.size.height - _LINES_AROUND)
        if not drawn or size != live.console.size:
            size, drawn = live.console.size, True
            live.update(_screen(look, choice, room, url, size.width), refresh=True)
        for key in pressed(_KEY_SECONDS):
            drawn = False
            if not choice.press(key, look.services, room):
                return
        if (new := background.newest()) is not None:
            drawn = False
            # What was known stays on the screen, under a line that says how old it is.
            look = new if not new.why_not else replace(look, why_not=new.why_not)


def _screen(look: Look, choice: Choice, room: int, url: str, width: int) -> Group:
    now = SystemClock().now()
    rows = choice.rows(look.services, now)
    choice.first = min(choice.first, max(0, len(rows) - room))
    shown = rows[choice.first : choice.first + room]
    told = headline(look.services, look.offline_since)
    head = Text(f"{told}  {url}  {format_time(look.at)}", "bold")
    if look.why_not:
        head = Text(f"OLD, of {format_time(look.at)}: {look.why_not}", "bold reverse")
    head.truncate(width, overflow="ellipsis")
    more = f"  {choice.first + 1} to {choice.first + len(shown)} of {len(rows)}" if rows else ""
    chosen = "".join(
        f"  {key} {name}: {value or 'all'}"
        for key, name, value in (("f", "fault", choice.fault), ("t", "team", choice.team))
    )
    foot = Text(f"q quit  s sort: {choice.sort}{chosen}  arrows scroll{more}", "reverse")
    foot.truncate(width, overflow="ellipsis", pad=True)
    return Group(head, table_of(shown, now, width), foot)


def _print_once(look: Look, choice: Choice) -> int:
    now = SystemClock().now()
    rows = choice.rows(look.services, now)
    print(headline(look.services, look.offline_since))
    print_table(table_of(rows, now, table_width()))
    return int(any(_is_failing(row) and not row["in_maintenance"] for row in rows))


def headline(services: Iterable[Row], offline_since: float | None = None) -> str:
    """Return how many of *services* fail, and by which fault; first of all if it is our network.

    >>> headline([])
    'no services'
    """
    rows = list(services)
    if not rows:
        return "no services"
    if offline_since is not None:
        since = format_time(offline_since)
        return f"our network is down since {since}: the services are shown as they were seen last"
    failing = [row for row in rows if _is_failing(row) and not row["in_maintenance"]]
    fail = "fails" if len(failing) == 1 else "fail"
    text = f"none of {len(rows)} fails"
    if failing:
        causes = causes_in_words(Counter(map(_kind, failing)))
        text = f"{len(failing)} of {len(rows)} {fail}: {causes}"
    for name, what in (("in_maintenance", "in maintenance"), ("paused", "paused")):
        if number := sum(row[name] for row in rows):
            text += f"; {number} {what}"
    unknown = sum(row["enabled"] and row["status"] == Status.UNKNOWN for row in rows)
    return text + (f"; of {unknown} nothing is known" if unknown else "")


def table_of(rows: Iterable[Row], now: float, width: int) -> Table:
    """Return *rows* as a table that fits into *width* columns: what matters less is left out."""
    wide, medium = width >= _WIDE, width >= _MEDIUM
    table = Table(box=None, pad_edge=False, expand=True, show_edge=False)
    table.add_column("state", no_wrap=True, min_width=len("maintenance"))
    name: Any = {"width": max(_NAME, width // 5)} if medium else {"ratio": 1}
    table.add_column("service", no_wrap=True, overflow="ellipsis", **name)
    table.add_column("since", no_wrap=True, justify="right")
    table.add_column("fault", no_wrap=True)
    for name, is_shown in (("environment", wide), ("team", wide), ("ms", medium)):
        if is_shown:
            justify: Any = "right" if name == "ms" else "left"
            table.add_column(name, no_wrap=True, overflow="ellipsis", justify=justify)
    if medium:
        table.add_column("what to do", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        state = state_of(row)
        cells = [
            Text(state, _STYLES.get(state, "")),
            Text(row["id"]),
            Text(lasting(now - row["since"]) if row["since"] else ""),
            Text(_fault(row, with_reason=width >= _ROOMY)),
        ]
        cells += [Text(row["environment"]), Text(row["team"])] if wide else []
        if medium:
            took = row["duration_ms"]
            cells += [Text("" if took is None else f"{took:.0f}"), Text(_todo(row))]
        table.add_row(*cells)
    return table


def state_of(row: Row) -> str:
    """Return the state of a service in a word."""
    if row["paused"]:
        return "paused"
    if not row["enabled"]:
        return "disabled"
    return "maintenance" if row["in_maintenance"] else str(row["status"])


def lasting(seconds: float) -> str:
    """Return how long something has lasted, in its largest unit.

    >>> [lasting(seconds) for seconds in (-1, 59, 61, 7200, 172800)]
    ['0s', '59s', '1m', '2h', '2d']
    """
    seconds = max(0.0, seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def _fault(row: Row, *, with_reason: bool) -> str:
    if not row["enabled"] or row["verdict"] in (None, "ok"):
        return ""
    reason = f" ({row['reason']})" if row["reason"] and with_reason else ""
    return f"{row['verdict']}{reason}"


def _todo(row: Row) -> str:
    """Return what to do: of a service that works, what to move away from."""
    ending = row["retirement"]
    if row["verdict"] != "ok" or not ending:
        return str(row["advice"])
    texts = [text for one in ending if (text := _end(one))]
    return f"move away from {', '.join(texts)}" if texts else str(row["advice"])


def _end(seen: Row) -> str:
    name = "this API" if seen["resource"] == API else str(seen["resource"])
    if seen["gone_at"] is not None or seen["listed"] is False:
        return f"{name} (gone)"
    if seen["sunset_at"] is not None:
        return f"{name} (ends on {format_time(seen['sunset_at'])[:10]})"
    return f"{name} (deprecated, no end is named)" if seen["deprecated_at"] is not None else ""


def _kind(row: Row) -> tuple[str, str]:
    provider = row["provider"] if row["provider"] != CUSTOM else ""
    return kind_of(str(row["reason"]), str(row["verdict"]), provider)


def _is_failing(row: Row) -> bool:
    return bool(row["enabled"]) and row["status"] in (Status.UNHEALTHY, Status.DEGRADED)


def _order(row: Row, sort: str, now: float) -> tuple[object, ...]:
    last = not row["enabled"]
    match sort:
        case "name":
            return (row["id"],)
        case "ms":
            return last, -(row["duration_ms"] or 0.0), row["id"]
        case "since":  # what changed last is on top
            return last, now - (row["since"] or 0.0), row["id"]
    # What fails in its maintenance is expected: it comes after what nobody expects.
    expected = bool(row["in_maintenance"]) and _is_failing(row)
    rank = _RANK[Status(row["status"])]
    return last, rank + (2.5 if expected else 0), row["since"] or 0.0, row["id"]


def _present(services: Iterable[Row], name: str, *but: str) -> list[str]:
    return sorted({row[name] for row in services if row[name] and row[name] not in but})


def _next(known: Sequence[str], chosen: str) -> str:
    return known[(known.index(chosen) + 1) % len(known)] if chosen in known else known[0]


def _look(url: str) -> Look:
    found = ask(url, "GET", "/api/health")
    # An exporter of an older version does not say it.
    offline_since = found.get("offline_since")
    return Look(tuple(found["services"]), SystemClock().now(), offline_since=offline_since)


def _look_again(url: str) -> Look:
    try:
        return _look(url)
    except UsageError:
        return Look(why_not="the exporter does not answer; trying again")
    except RefusedError as error:
        return Look(why_not=f"{sentence(error.problem)}; trying again")
    except Exception as error:  # the thread must go on: what is shown would grow old unnoticed
        return Look(why_not=f"the answer is not understood ({type(error).__name__})")

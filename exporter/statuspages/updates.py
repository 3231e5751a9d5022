"""The state that an item of a feed reports: from the word that begins its newest update.

Statuspage, Instatus and others write all updates of an incident in one item, each as a date, a bold
word and a text; incident.io has `Status: Resolved`; Better Stack one item for each update, with the
word in the title. A word inside a sentence ("not yet resolved") is no state.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from enum import Enum
from itertools import islice


class Phase(Enum):
    """Where an incident or a maintenance is in its life."""

    OPEN = "open"
    WORK = "work"
    ANNOUNCED = "announced"
    ENDED = "ended"
    UPDATE = "update"
    """A further text, which leaves the phase as it was."""


_WORDS = {
    Phase.OPEN: "investigating identified monitoring open active ongoing unresolved reopened "
    "mitigating mitigated degraded degraded_performance outage partial_outage major_outage "
    "disruption service_disruption service_outage service_degradation "
    "performance_issues down partially_resolved detected confirmed",
    Phase.WORK: "in_progress verifying under_maintenance maintenance_in_progress",
    Phase.ANNOUNCED: "scheduled rescheduled upcoming planned announced not_started_yet "
    "notstartedyet maintenance_scheduled maintenance_planned",
    Phase.ENDED: "resolved completed complete closed postmortem post_mortem cancelled canceled "
    "fixed recovered operational all_clear false_alarm ended finished maintenance_completed "
    "maintenance_complete service_is_operating_normally",
    Phase.UPDATE: "update updated informational_message",
}
_PHASE_BY_WORD = {word: phase for phase, words in _WORDS.items() for word in words.split()}
_WORD = "|".join(
    re.escape(word).replace("_", "[ _-]?") for word in sorted(_PHASE_BY_WORD, key=len, reverse=True)
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"(?:{'|'.join(_MONTHS)})"
_DATE = re.compile(
    rf"(?i)\b({_MONTH})[a-z]*\.? *([0-9]{{1,2}})\b[^0-9\n]{{0,3}}(?:([0-9]{{4}})\b)?"
    r"[^0-9\n]{0,6}(?:([0-9]{1,2}):([0-9]{2})(?: *([ap])\.?m)?)?"
)
_ISO_DATE = re.compile(r"\b([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2}))?")
# what may be before the word in its line: a date with its zone, or a name as in `Current status:`
_ZONE = "am|pm|utc|gmt|at|[ecmp][sd]?t|cest|west|bst|ist|jst|aest|aedt|nzst|nzdt"
_LEAD = (
    rf"(?:[^a-z\n]|(?<=[0-9])[tz](?![a-z])|\b(?:{_MONTH}|mon|tue|wed|thu|fri|sat|sun)[a-z]*\b"
    rf"|\b(?:{_ZONE})\b){{0,60}}?"
    r"(?:[a-z ]{0,24}\b(?:status|state) ?\x02? ?[:=-] ?\x02? ?\x01?)?[\[(\x01 ]{0,4}"
)
_UPDATE = re.compile(
    rf"(?im)^({_LEAD})({_WORD})"
    r"(?: *[\])]| *:? *\x02 *(?:$|[-–—:|]|(?-i:[A-Z]))| *[-–—:|](?=\s)| *[.!:]? *$)"
)
_TITLE_START = re.compile(
    rf"(?i)^ *(?:\[ *({_WORD}) *\]|\( *({_WORD}) *\)|({_WORD}) *(?:[:|]| [-–—] ))"
)
_TITLE_END = re.compile(
    rf"(?i)(?:\[ *({_WORD}) *\]|\( *({_WORD}) *\)|(?:[:|]| [-–—]) *({_WORD})) *$"
)
# "API is up" (Uptime Kuma, Better Stack): the name is what the updates have in common
_TITLE_SENTENCE = re.compile(
    r"(?i)^(.{1,400}?) (?:(recovered|is (?:back )?(?:up|online))|(?:is|went) (?:down|offline))$"
)
_QUIET_TITLE = re.compile(
    r"(?i)^\W*(?:all (?:systems|services)\b.{0,20}\b(?:operational|normal(?:ly)?)"
    r"|no (?:open |known |active |current |ongoing )?(?:incidents?|issues|outages)\b"
    r"(?: (?:reported|today|known|found|at this time)){0,3})\W*$"
)
_MOST_PREFIXES = 3
_PLANNED_TITLE = re.compile(
    r"(?i)^\W*(?:(?:upcoming|planned|scheduled)\b.{0,40}\bmaintenance"
    r"|maintenance (?:notice|window))"
)
_WORK_TITLE = re.compile(r"(?i)^(?:[^ ]+ ){0,3}maintenance\b")
_TROUBLE = re.compile(r"(?i)error|outage|issue|fail|degrad|incident|problem|disrupt|unavailab|slow")
_SENTENCE_OF_END = re.compile(
    r"(?i)^\W*(?:this|the)(?: scheduled)? (?:incident|issue|outage|problem|maintenance|event) "
    r"(?:has been|has now been|is|is now|was) (?:fully )?"
    r"(?:resolved|completed|closed|fixed) *(?:[.!]|$)"
)
_BREAK = re.compile(r"(?i)<(?:br|/?(?:\w+:)?(?:p|div|li|ul|ol|h[1-6]|tr|td|table))\b[^<>]*>")
_BOLD = re.compile(r"(?i)<(?:\w+:)?(?:strong|b)>")
_BOLD_END = re.compile(r"(?i)</(?:\w+:)?(?:strong|b)>")
_TAG = re.compile(r"<[^<>]*>")
_MARKS = (":", "=", "-", "[", "(", "\x01")
_LONGEST, _LONGEST_TITLE, _LONGEST_WORD = 65_536, 500, 64
_MOST_LINES, _LONGEST_LINE = 2_000, 200
"""An update begins its line, so the rest does not count; to try a line takes up to 0.2 ms."""


def phase_of_word(text: str) -> Phase | None:
    """Return the phase that *text* names, None if it is something else.

    >>> phase_of_word(" In Progress ")
    <Phase.WORK: 'work'>
    """
    if len(text) > _LONGEST_WORD:
        return None
    word = re.sub(r"[ _-]+", "_", text.strip().lower())
    return _PHASE_BY_WORD.get(word) or _PHASE_BY_WORD.get(word.replace("_", ""))


def titled_phase(title: str) -> tuple[Phase | None, str]:
    """Return the phase that *title* begins or ends with, and the title without it.

    >>> titled_phase("[Resolved] Slow API")
    (<Phase.ENDED: 'ended'>, 'Slow API')
    """
    title = " ".join(title[:_LONGEST_TITLE].split())
    phases, rest = _marked(title)
    if phases:
        return newest(phases), rest
    if match := _TITLE_SENTENCE.search(title):
        return (Phase.ENDED if match.group(2) else Phase.OPEN), match.group(1)
    if _QUIET_TITLE.search(title):
        return Phase.ENDED, title
    if _PLANNED_TITLE.search(title):
        return Phase.ANNOUNCED, title
    if _WORK_TITLE.search(title) and not _TROUBLE.search(title):
        return Phase.WORK, title
    return None, title


def _marked(title: str) -> tuple[list[Phase], str]:
    """Return the phases in the marks at the ends of *title*, and the title without those marks.

    AWS has two: `Informational message: [RESOLVED] Increased Error Rates`.
    """
    phases: list[Phase] = []
    for pattern in (*[_TITLE_START] * _MOST_PREFIXES, _TITLE_END):
        if (match := pattern.search(title)) and not (phases and pattern is _TITLE_END):
            word = next(group for group in match.groups() if group)
            phases += [phase] if (phase := phase_of_word(word)) else []
            title = (title[: match.start()] + title[match.end() :]).strip()
    return phases, title


def written_phases(markup: str) -> list[Phase]:
    """Return the phases of the updates in *markup*, HTML or text, the newest first."""
    text = _plain(markup)
    updates = [match for match in _UPDATE.finditer(text) if _is_heading(match)]
    if not updates:
        return [Phase.ENDED] if _SENTENCE_OF_END.search(text.strip()) else []
    phases = [phase_of_word(match.group(2)) or Phase.OPEN for match in updates]
    # the date of an update is between the word before and its own
    ends = [0, *(match.end() for match in updates)]
    dates = [_date_in(text[end : m.end()]) for end, m in zip(ends, updates, strict=False)]
    return phases[::-1] if _is_oldest_first(phases, dates) else phases


def _is_heading(match: re.Match[str]) -> bool:
    """Return whether the word is a heading and not the end of a sentence, wrapped into its line."""
    return match.group(2)[0].isupper() or match.group(1).rstrip().endswith(_MARKS)


def _is_oldest_first(phases: list[Phase], dates: list[tuple[int, ...] | None]) -> bool:
    first, last = dates[0], dates[-1]
    if first and last and first != last:
        # without a year, January comes after December
        if first[0] == last[0] and abs(first[1] - last[1]) > 6:
            return first[1] > last[1]
        return first < last
    # No incident begins with its end, so what ends with one is written from old to new.
    return phases[0] is not Phase.ENDED and phases[-1] is Phase.ENDED


def _date_in(text: str) -> tuple[int, ...] | None:
    """Return year (0 if there is none), month, day, hour and minute of the last date in *text*."""
    if found := list(_ISO_DATE.finditer(text)):
        return tuple(int(part or 0) for part in found[-1].groups())
    for match in reversed(list(_DATE.finditer(text))):
        month, day, year, hour, minute, half = match.groups()
        hours = int(hour or 0) % 12 + 12 * (half.lower() == "p") if half else int(hour or 0)
        return int(year or 0), _MONTHS.index(month.lower()) + 1, int(day), hours, int(minute or 0)
    return None


def _plain(markup: str) -> str:
    """Return *markup* as lines of text, in which \\x01 and \\x02 are around what is bold."""
    text = markup[:_LONGEST].replace("\x01", " ").replace("\x02", " ")
    # some feeds escape their HTML twice
    if "&lt;" in text:
        text = html.unescape(text)
    # in HTML the end of a line is no end of a line
    if _BREAK.search(text):
        text = _BREAK.sub("\n", " ".join(text.split()))
    text = _BOLD_END.sub("\x02", _BOLD.sub("\x01", text))
    text = html.unescape(_TAG.sub("", text))
    # single spaces, so that no pattern tries long runs of them
    lines = (" ".join(line.split())[:_LONGEST_LINE] for line in text.splitlines())
    return "\n".join(islice(lines, _MOST_LINES))


def newest(phases: Iterable[Phase]) -> Phase | None:
    """Return the first of *phases* that is more than an update, OPEN if all are; None of none."""
    found = None
    for phase in phases:
        if phase is not Phase.UPDATE:
            return phase
        found = Phase.OPEN
    return found

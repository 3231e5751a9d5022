"""Models that are asked: which is slow or fails now, how quickly they answer, what that costs."""

from __future__ import annotations

from exporter.models import Skip
from grafana import queries, words
from grafana.board import Row, dashboard, of_series, silence, to_service
from grafana.boards.common import AGO, WHY
from grafana.panels import SLOW, bars, series, stat, tallies, timeline
from grafana.queries import CHOSEN, flat
from grafana.styles import UNLISTED, override, painted
from grafana.tables import CELL, Column, table
from grafana.words import Json

_BY = "environment, service, provider, model"
_ON = "on (environment, service, model)"
_OF_RESOURCE = "environment, service, provider, resource"
_NAME = "{{model}} ({{service}}, {{environment}})"
_IN_TIME, _NO_DATA, _ONCE, _SLOW, _STALLED, _FAILING = range(1, 7)
_STATES = {
    _IN_TIME: ("IN TIME", words.OK),
    _NO_DATA: ("NO DATA", words.NO_DATA),
    _ONCE: ("NOT IN TIME", words.QUOTA),
    _SLOW: ("SLOW", words.WARN),
    _STALLED: ("STALLED", words.NETWORK),
    _FAILING: ("FAILING", words.BAD),
}
"""A state as a number, the worst the highest. Failing before stalled: nobody gets an answer."""
_LINKS: Json = {"links": [to_service(), silence("service", "environment")]}
_LEFT = words.steps((None, words.BAD), (0.1, words.WARN), (0.25, words.OK))
_SECONDS: Json = {"unit": "s", "custom__width": 75}
_WORDS = {
    "stalled": ("its text stood still: switch to one that is in time", words.NETWORK),
    "slow": ("its first token comes late: switch to one that is in time", words.WARN),
    "late": ("late once: the next check will tell", words.QUOTA),
    "ok": ("answers in time", words.OK),
    Skip.BUDGET_MODEL: ("not asked: its budget is used up", words.WARN),
    Skip.BUDGET_ALL: ("not asked: the budget of all models is used up", words.WARN),
    words.UNSEEN: ("not asked for three intervals: look at Checks not sent", words.NO_DATA),
}
"""What is said of a model that does not fail."""
_WHY_NOT: dict[str, str] = {
    Skip.BUDGET_MODEL: words.WARN,
    Skip.BUDGET_ALL: words.BAD,
    Skip.NO_LEDGER: words.MONITORING,
    Skip.ASKED_TO_WAIT: words.QUOTA,
    Skip.CANNOT_WORK: words.CREDENTIAL,
    Skip.MAINTENANCE: words.MAINTENANCE,
}
assert set(_WHY_NOT) == set(Skip)


def _worst(metric: str, aggregate: str = "max") -> str:
    """Return *metric* of the chosen models; *aggregate* joins those of several exporters."""
    return f"{aggregate} by ({_BY}) ({metric}{{{CHOSEN}}})"


def _now(expr: str) -> str:
    """Return *expr* of models whose last check says something about now."""
    return f"{expr} and {_ON} (model:model_watched:bool{{{CHOSEN}}} == 1)"


def _row(name: str) -> str:
    """Return the thresholds *name*, the strictest of each model, to be compared with."""
    least = f"min by (environment, service, model) (model_threshold_{name}{{{CHOSEN}}})"
    return f"{_ON} group_left () {least}"


def _all() -> str:
    """Return all models that are declared, also those of an exporter that died lately."""
    known = f"last_over_time(model_threshold_stale_seconds{{{CHOSEN}}}[12h])"
    return flat(f"""
        {_worst("model_threshold_stale_seconds")}
        or {_ON} max by ({_BY}) ({known} unless on (job, instance) (up == 1))
    """)


def _stalled() -> str:
    return f"({_worst('model_probe_token_gap_max_seconds')} > {_row('token_gap_seconds')})"


def _slow() -> str:
    return f"({_worst('model_probe_consecutive_slow', 'min')} >= 2)"


def _well(answer: int) -> str:
    return f"({_worst('model_probe_in_time', 'min')} == {answer})"


def _state() -> str:
    """Return the state of each model as a code of `_STATES`."""
    failures = _worst("model_probe_consecutive_failures", "min")
    failing = f"({failures} >= {_row('consecutive_failures')})"
    return flat(f"""
        {_now(f"{_FAILING} * {failing} ^ 0")}
        or {_ON} {_now(f"{_STALLED} * {_stalled()} ^ 0")}
        or {_ON} {_now(f"{_SLOW} * {_slow()} ^ 0")}
        or {_ON} {_now(f"({_ONCE} + {_well(0)})")}
        or {_ON} {_now(_well(1))}
        or {_ON} {_NO_DATA} * ({_all()}) ^ 0
    """)


def _why() -> str:
    """Return each model with the label `reason`: a reason, or a name of `_WORDS`."""

    def named(name: str, expr: str) -> str:
        return f'label_replace({expr}, "reason", "{name}", "", "")'

    failing = f"max by ({_BY}, reason) (model_failing_since_timestamp_seconds{{{CHOSEN}}})"
    out = f'max by ({_BY}, why) (model_probe_withheld{{{CHOSEN}, why=~"budget_model|budget_all"}})'
    withheld = f'label_replace({out} == 1, "reason", "$1", "why", "(.+)")'
    return flat(f"""
        ({_now(failing)})
        or {_ON} {named("stalled", _now(_stalled()))}
        or {_ON} {named("slow", _now(_slow()))}
        or {_ON} {named("late", _now(_well(0)))}
        or {_ON} {named("ok", _now(_well(1)))}
        or {_ON} max by ({_BY}, reason) ({withheld})
        or {_ON} {named(words.UNSEEN, _all())}
    """)


def by_state() -> Json:
    """Return how many models there are in each state that occurs."""
    tiles = [
        override(str(code), displayName=text, thresholds=words.steps((None, colour)))
        for code, (text, colour) in _STATES.items()
    ]
    return stat(
        "Models by state",
        "FAILING: several checks in a row failed. STALLED: the text of the last check stood still. "
        "SLOW: two first tokens in a row came too late. NOT IN TIME: one check failed or was late, "
        "which the next one may mend. NO DATA: the last check is too old to say anything.",
        queries.counted(_state(), "state", sorted(_STATES, reverse=True)),
        legend="{{state}}",
        size=(16, 4),
        missing="No model is declared, or no data",
        overrides=tiles,
    )


def not_asked() -> Json:
    """Return how many models are not asked because of the money."""
    out = f'model_probe_withheld{{{CHOSEN}, why=~"budget_model|budget_all"}}'
    return stat(
        "Out of budget",
        "Models that are not asked until the day or the month is over (UTC): what they do is "
        "not known.",
        f"sum(max by ({_BY}) ({out}))",
        thresholds=words.COUNT_OF_BAD,
    )


def least_left() -> Json:
    """Return the share that is left of the tightest budget of all."""
    return stat(
        "Least budget left",
        "Share that is left of the tightest budget for checks of models.",
        f"min(model_probe_budget_remaining_ratio{{{CHOSEN}}})",
        unit="percentunit",
        thresholds=_LEFT,
        missing="NO BUDGET, or no data",
    )


def worst_first() -> Json:
    """Return the table of all models."""
    last = f"1000 * {_worst('model_probe_last_run_timestamp_seconds')}"
    coloured: Json = {"mappings": words.mapping(_STATES), "custom__cellOptions": CELL}
    return table(
        "Models, worst first",
        "What the last check of each model saw: its first visible token and how long that "
        "usually takes (half of the last good checks), the longest pause in its text, tokens per "
        "second by the provider's own count, and why it fails.",
        Column("model", "", {"custom__width": 130}),
        Column("service", "", {**_LINKS, "custom__width": 90}),
        Column("environment", "", {"custom__width": 100}),
        Column("state", _state(), {**coloured, "custom__width": 95}),
        Column(
            "first token",
            _now(_worst("model_probe_first_token_seconds")),
            {"unit": "s", "custom__width": 95},
        ),
        Column("usual", _now(_worst("model_probe_first_token_usual_seconds")), _SECONDS),
        Column("pause", _now(_worst("model_probe_token_gap_max_seconds")), _SECONDS),
        Column(
            "tokens/s",
            _now(_worst("model_probe_output_tokens_per_second", "min")),
            {"decimals": 0, "custom__width": 80},
        ),
        Column("last check", last, AGO),
        Column("reason", "", {**WHY, "mappings": _words()}),
        Column("ended", _why(), hidden=True),
        size=(24, 11),
        sort=("-state", "-first token", "model"),
        hidden=("provider",),
        tall=True,
        missing="No model is declared, or no data",
    )


def _words() -> list[Json]:
    """Map the label `reason` of `_why`: to the words of a reason, or to our own."""
    (known,) = words.reasons()
    options = dict(known["options"])
    for name, (told, colour) in _WORDS.items():
        options[name] = {"text": told, "color": colour, "index": len(options)}
    return [{**known, "options": options}]


def over_time() -> Json:
    """Return the states of models over time."""
    return timeline(
        "State over time",
        "The state of each model. What a check saw counts until the next one, and for three "
        "intervals at most.",
        _state(),
        _NAME,
        words.mapping(_STATES),
        size=(24, 8),
        links=[of_series()],
    )


_LINKED: Json = {"links": [of_series()]}


def first_token() -> list[Json]:
    """Return how soon models show something."""
    grown = f"increase(model_probe_first_token_latency_seconds_bucket{{{CHOSEN}}}[6h])"
    inside = f"sum by (le, {_BY}) ({grown})"
    return [
        series(
            "First token",
            "Time until the first visible token of the last check. A gap: it failed.",
            (_now(_worst("model_probe_first_token_seconds")), _NAME),
            unit="s",
            missing="No model has answered, or no data",
            defaults=_LINKED,
        ),
        series(
            "First token, over six hours",
            "Half of the checks of six hours are quicker than p50, and 95 of 100 than p95; those "
            "that failed do not count.",
            (f"histogram_quantile(0.5, {inside}) >= 0", f"p50 {_NAME}"),
            (f"histogram_quantile(0.95, {inside}) >= 0", f"p95 {_NAME}"),
            unit="s",
            missing="No model has answered, or no data",
            defaults=_LINKED,
        ),
    ]


def text() -> list[Json]:
    """Return how quickly the text of models comes."""
    return [
        series(
            "Tokens per second",
            "Of the last check, by the provider's own count. A gap: it does not count, or the "
            "answer was too short to tell.",
            (_now(_worst("model_probe_output_tokens_per_second", "min")), _NAME),
            least_first=True,
            missing="No provider counts tokens, or no data",
            defaults=_LINKED,
        ),
        series(
            "Longest pause",
            "For how long the text of the last check stood still; if it broke off, until then.",
            (_now(_worst("model_probe_token_gap_max_seconds")), _NAME),
            unit="s",
            missing="No text came in pieces, or no data",
            defaults=_LINKED,
        ),
    ]


def ended() -> Json:
    """Return the failed checks over time by reason."""
    failed = queries.happened(f"model_probe_results_total{{{CHOSEN}, {queries.FAILED}}}", "reason")
    every = f"increase(model_probe_results_total{{{CHOSEN}}}[$__rate_interval])"
    zero = f'label_replace(0 * (sum({every}) >= 0), "reason", "ok", "", "")'
    return tallies(
        "Failed checks by reason",
        "Which kind of failure, in a shade of whose fault it is. An empty plot: none failed.",
        (f"{failed} > 0 or {zero}", "{{reason}}"),
        overrides=[*painted(words.SHADES), override("ok", custom__hideFrom=UNLISTED)],
        step=SLOW,
        missing="No check was made, or no data",
    )


def skipped() -> Json:
    """Return the checks that were not sent, by why."""
    grown = queries.happened(f"model_probe_skipped_total{{{CHOSEN}}}", "why")
    zero = f'label_replace(0 * (sum({grown}) >= 0), "why", "none", "", "")'
    return tallies(
        "Checks not sent",
        "What was due and was not sent: a budget is used up (budget_*), what it costs cannot be "
        "counted, the provider asked to wait, or the service itself fails or is in maintenance. An "
        "empty plot: everything was sent.",
        (f"{grown} > 0 or {zero}", "{{why}}"),
        overrides=[*painted(_WHY_NOT), override("none", custom__hideFrom=UNLISTED)],
        step=SLOW,
        missing="No model is declared, or no data",
    )


def cost() -> list[Json]:
    """Return what checks cost and what is left for them."""
    left = _worst("model_probe_budget_remaining_ratio", "min")
    spent = f"sum by ({_BY}, currency) (increase(model_probe_spend_total{{{CHOSEN}}}[1d]))"
    return [
        bars(
            "Budget left",
            "Share of the tightest budget of each model, the least first.",
            f"sort(bottomk(20, {left}))",
            _NAME,
            unit="percentunit",
            thresholds=_LEFT,
            min=0,
            max=1,
            missing="No model is declared, or no data",
        ),
        series(
            "Spent in a day",
            "What the checks of each model cost in the 24 hours before.",
            (spent, "{{model}}, {{currency}} ({{service}}, {{environment}})"),
            step=SLOW,
            missing="Nothing was spent, or no data",
            defaults={"links": [of_series()]},
        ),
    ]


def _day(metric: str) -> str:
    """Return the milliseconds of *metric*, the earliest of each resource."""
    return f"1000 * min by ({_OF_RESOURCE}) ({metric}{{{CHOSEN}}})"


def ending() -> Json:
    """Return what is switched off, deprecated or gone: of the models in use, and of the APIs."""
    known = f"model_gone_timestamp_seconds{{{CHOSEN}}}"
    named = f'label_replace({known}, "resource", "$1", "model", "(.+)")'
    gone = f"1000 * min by ({_OF_RESOURCE}) ({named})"
    ends, deprecated = map(
        _day, ("service_sunset_timestamp_seconds", "service_deprecation_timestamp_seconds")
    )
    told: Json = {"unit": "dateTimeFromNow", "custom__width": 150}
    return table(
        "What ends",
        "Models that services use, and their APIs (api): gone from the provider's list or by its "
        "own answer, switched off on a day that was announced, or deprecated. What is gone fails "
        "until another one is asked for; waiting does not help.",
        Column("resource", "", {"custom__width": 220}),
        Column("service", "", _LINKS),
        Column("environment"),
        Column("known", flat(f"({gone}) or ({ends}) or ({deprecated})"), hidden=True),
        Column("gone", gone, told),
        Column("switched off", ends, told),
        Column("deprecated", deprecated, told),
        sort=("switched off",),
        hidden=("provider",),
        missing="Nothing that is in use ends, or no data",
    )


def board() -> Json:
    """Return the dashboard."""
    return dashboard(
        "models",
        "Service registry / Models",
        "Which model is slow or fails now, which answers in time, what ends, what asking costs.",
        [
            Row("", [by_state(), not_asked(), least_left(), worst_first(), over_time()]),
            Row("What ends", [ending()]),
            Row("How quickly they answer", [*first_token(), *text()]),
            Row("What asking costs", [*cost(), ended(), skipped()]),
        ],
        since="now-24h",
        refresh="1m",
    )

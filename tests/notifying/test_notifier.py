"""When people are told what: groups in time, media that fail, restarts, new configurations."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from exporter.incidents.model import ToldState
from exporter.notifying import notifier as module
from exporter.notifying.media import UndeliveredError
from exporter.notifying.sending import GIVE_UP_SECONDS
from tests.notifying.stage import (
    ALL,
    EMAIL,
    GONE,
    PAGERDUTY,
    REFUSED,
    SLACK,
    UNSURE,
    WEBHOOK,
    Memory,
    Stage,
    alert,
    entries,
    settled,
)

OPENAI, STRIPE = alert(), alert(service="stripe", provider="stripe")
FIRST = alert(service="a", provider="acme", severity="low")
SECOND = alert(service="b", provider="acme", severity="low")
"""Two of one group: low, by alertname, environment, provider."""


def at(stage: Stage) -> float:
    return stage.clock.now()


async def test_a_group_waits_is_told_once_and_told_of_its_end() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(29)
        assert stage.hook.said == []
        await stage.passes(2)
        assert stage.hook.said == [("+openai",)]
        await stage.passes(3600)
        assert len(stage.hook.sent) == 1
        await stage.fires()
        await stage.passes(60)
        assert stage.hook.said == [("+openai",), ("-openai",)]
        await stage.passes(86400, step=600)
        assert len(stage.hook.sent) == 2


async def test_the_end_says_when_it_ended_and_has_the_labels_of_the_alert() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
        ended = at(stage)
        await stage.fires()
        await stage.passes(60)

        over = stage.hook.sent[-1].alerts[0]

        assert (over.firing, over.ends_at, over.labels) == (False, ended, OPENAI.labels)
        assert over.annotations == OPENAI.annotations


async def test_what_ended_before_anybody_was_told_is_never_told() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(20)
        await stage.fires()
        await stage.passes(3600, step=60)

        assert stage.hook.tried == []
        assert stage.memory.outbox == {}


async def test_it_is_repeated_at_the_first_look_after_the_repeat_interval() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(30 + 4 * 3600, step=60)
        assert len(stage.hook.sent) == 1
        await stage.passes(60)
        assert stage.hook.said == [("+openai",)] * 2
        first, second = stage.hook.sent
        assert first.id != second.id
        assert first.dedup_key == second.dedup_key


async def test_alerts_of_a_group_are_told_together_and_news_after_the_interval() -> None:
    async with Stage() as stage:
        await stage.fires(FIRST)
        await stage.passes(100)
        await stage.fires(FIRST, SECOND)
        await stage.passes(201)
        assert stage.hook.said == [("+a", "+b")]
        third = alert(service="c", provider="acme", severity="low", at=at(stage))
        await stage.fires(SECOND, third)
        await stage.passes(1790)
        assert len(stage.hook.said) == 1
        await stage.passes(30)
        assert stage.hook.said[1:] == [("+b", "+c", "-a")]


async def test_two_groups_are_two_messages() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI, STRIPE)
        await stage.passes(31)

        assert sorted(stage.hook.said) == [("+openai",), ("+stripe",)]
        assert len({message.dedup_key for message in stage.hook.sent}) == 2


async def test_an_inhibited_alert_is_not_told_until_it_is_not() -> None:
    async with Stage() as stage:
        await stage.fires(replace(OPENAI, suppressed="inhibited", held_by=(STRIPE.fingerprint,)))
        await stage.passes(300)
        assert stage.hook.said == []
        (told,) = stage.notifier.told(OPENAI.fingerprint)
        assert (told.state, told.why) == (ToldState.SUPPRESSED, "inhibited")
        await stage.fires(OPENAI)
        await stage.passes(60)
        assert stage.hook.said == [("+openai",)]


async def test_the_cause_is_named_by_its_alert() -> None:
    async with Stage() as stage:
        held = replace(OPENAI, suppressed="inhibited", held_by=(STRIPE.fingerprint,))
        await stage.fires(held, STRIPE)

        (told,) = stage.notifier.told(OPENAI.fingerprint)

        assert told.by == "ServiceDown"


async def test_what_was_told_has_its_end_told_while_it_is_inhibited() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
        await stage.fires(replace(OPENAI, suppressed="inhibited"))
        await stage.passes(5 * 3600, step=60)
        assert stage.hook.said == [("+openai",)], "no repeat while it is inhibited"
        await stage.fires()
        await stage.passes(61)
        assert stage.hook.said[1:] == [("-openai",)]


async def test_the_end_of_one_does_not_end_a_group_in_which_another_still_fires() -> None:
    other = alert(alertname="ServiceErrorBudgetBurn")
    async with Stage() as stage:
        await stage.fires(OPENAI, other)
        await stage.passes(31)
        await stage.fires(replace(other, suppressed="inhibited"))
        await stage.passes(61)

        assert stage.hook.sent[-1].status == "firing"
        assert {(a.labels["alertname"], a.firing) for a in stage.hook.sent[-1].alerts} == {
            ("ServiceDown", False),
            ("ServiceErrorBudgetBurn", True),
        }


async def test_an_alert_that_comes_back_before_its_end_was_told_is_no_news() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
        for _ in range(10):
            await stage.fires()
            await stage.passes(5, step=5)
            await stage.fires(OPENAI)
            await stage.passes(5, step=5)
        await stage.passes(600)

        assert stage.hook.said == [("+openai",)]


async def test_between_two_evaluations_a_group_is_told_when_its_wait_is_over() -> None:
    async with Stage() as stage:
        await stage.fires(alert({"alertname": "ExporterDown", "severity": "critical"}))
        await stage.clock.advance(11)
        await settled()

        assert stage.hook.said == [("+ExporterDown",)]


# Media that fail


async def test_a_medium_that_fails_holds_nobody_else_up() -> None:
    async with Stage(ALL) as stage:
        stage.media["slack"].gate = asyncio.Event()
        stage.media["email"].fault = GONE
        await stage.fires(OPENAI)
        await stage.passes(31)

        assert stage.hook.said == stage.media["pagerduty"].said == [("+openai",)]
        states = {one.receiver: one.state for one in stage.notifier.told(OPENAI.fingerprint)}
        assert states == {
            "webhook": ToldState.DELIVERED,
            "pagerduty": ToldState.DELIVERED,
            "slack": ToldState.PENDING,
            "email": ToldState.FAILING,
        }


async def test_a_failed_try_is_repeated_ever_later_with_the_same_id() -> None:
    async with Stage() as stage:
        stage.hook.fault = UNSURE
        await stage.fires(OPENAI)
        begun = at(stage)
        times = []
        for _ in range(1500):
            await stage.passes(1, step=1)
            while len(times) < len(stage.hook.tried):
                times.append(at(stage) - begun)
        pauses = [later - before for before, later in pairwise(times)]
        assert pauses[:6] == pytest.approx([1, 2, 4, 8, 16, 32], abs=1)
        assert max(pauses) <= 301
        assert len({message.id for message in stage.hook.tried}) == 1
        stage.hook.fault = None
        await stage.passes(301)
        assert stage.hook.said == [("+openai",)]
        assert stage.counted.count(("webhook", "failed")) == len(times)
        assert stage.counted[-1] == ("webhook", "sent")


async def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long() -> None:
    async with Stage() as stage:
        stage.hook.fault = UndeliveredError("HTTP 429", certain=True, retry_after=240.0)
        await stage.fires(OPENAI, STRIPE)
        await stage.passes(60)
        assert len(stage.hook.tried) == 1
        stage.hook.fault = None
        await stage.passes(200)
        assert stage.hook.said == []
        await stage.passes(30)
        assert len(stage.hook.sent) == 2


async def test_one_that_asks_for_a_week_is_tried_again_within_the_hour() -> None:
    async with Stage() as stage:
        stage.hook.fault = UndeliveredError("HTTP 503", retry_after=7 * 86400.0)
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.hook.fault = None
        await stage.passes(3605, step=60)

        assert stage.hook.said == [("+openai",)]


async def test_a_message_that_is_refused_does_not_hold_up_the_next() -> None:
    async with Stage() as stage:
        stage.hook.fault = REFUSED
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.hook.fault = None
        await stage.fires(OPENAI, replace(STRIPE, starts_at=at(stage)))
        await stage.passes(45)
        assert stage.hook.said == [("+stripe",)]
        await stage.passes(300)
        assert ("+openai",) in stage.hook.said


async def test_what_fails_is_told_as_it_is_when_the_medium_is_back() -> None:
    async with Stage() as stage:
        stage.hook.fault = GONE
        await stage.fires(FIRST)
        await stage.passes(400)
        await stage.fires(FIRST, replace(SECOND, starts_at=at(stage)))
        await stage.passes(2000)
        stage.hook.fault = None
        await stage.passes(301)

        assert stage.hook.said == [("+a", "+b")]


async def test_what_is_over_before_the_medium_is_back_is_not_told() -> None:
    async with Stage() as stage:
        stage.hook.fault = GONE
        await stage.fires(OPENAI)
        await stage.passes(60)
        await stage.fires()
        await stage.passes(60)
        stage.hook.fault = None
        await stage.passes(600)

        assert stage.hook.sent == []
        assert stage.memory.outbox == {}


async def test_what_waits_and_is_over_is_taken_back_at_once() -> None:
    async with Stage() as stage:
        stage.hook.fault = GONE
        await stage.fires(FIRST)
        await stage.passes(301)
        assert len(stage.memory.outbox) == 1
        await stage.fires()

        assert stage.memory.outbox == {}, "not only at the next look, half an hour later"


async def test_what_may_have_been_received_has_its_end_told() -> None:
    async with Stage() as stage:
        stage.hook.fault = UNSURE
        await stage.fires(OPENAI)
        await stage.passes(60)
        await stage.fires()
        await stage.passes(120)
        stage.hook.fault = None
        await stage.passes(600)

        assert stage.hook.said == [("-openai",)]


async def test_a_message_is_given_up_after_a_day_and_what_still_fires_told_anew() -> None:
    async with Stage() as stage:
        stage.hook.fault = REFUSED
        await stage.fires(OPENAI)
        await stage.passes(31 + GIVE_UP_SECONDS + 301, step=300)
        assert ("webhook", "gave_up") in stage.counted
        (told,) = stage.notifier.told(OPENAI.fingerprint)
        assert told.state is ToldState.FAILING
        stage.hook.fault = None
        await stage.passes(361)
        assert stage.hook.said == [("+openai",)]


async def test_the_worst_is_told_first() -> None:
    low = [alert(service=f"s{n}", provider=f"p{n}", severity="low") for n in range(5)]
    async with Stage() as stage:
        stage.hook.fault = GONE
        await stage.fires(*low)
        await stage.passes(301)
        await stage.fires(*low, replace(OPENAI, starts_at=at(stage)))
        await stage.passes(31)
        stage.hook.fault = None
        await stage.passes(1800)

        assert len(stage.hook.sent) == 6
        assert stage.hook.said.index(("+openai",)) < 2


async def test_a_fault_of_ours_in_a_message_does_not_end_the_sender() -> None:
    async with Stage() as stage:
        stage.hook.fault = KeyError("made up")
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.hook.fault = None
        await stage.fires(OPENAI, replace(STRIPE, starts_at=at(stage)))
        await stage.passes(31)

        assert stage.hook.said == [("+stripe",)]


async def test_the_outbox_is_bounded_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    many = [alert(service=f"s{n}", provider=f"p{n}") for n in range(10)]
    async with Stage() as stage:
        stage.hook.fault = GONE
        await stage.fires(*many)
        await stage.passes(60)
        assert len(stage.memory.outbox) == 3
        stage.hook.fault = None
        await stage.passes(600)

        assert sorted(stage.hook.said) == sorted((f"+s{n}",) for n in range(10))


# What outlives a process


async def restarted(former: Stage, text: str = WEBHOOK) -> Stage:
    await former.killed()
    return Stage(text, former.memory, former.clock)


async def test_after_a_restart_nothing_is_told_again_and_the_repeat_keeps_its_time() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(3600, step=60)
    async with await restarted(stage) as again:
        await again.fires(OPENAI)
        await again.passes(3 * 3600 - 60, step=60)
        assert again.hook.tried == []
        (told,) = again.notifier.told(OPENAI.fingerprint)
        assert told.state is ToldState.DELIVERED
        await again.passes(180, step=60)
        assert again.hook.said == [("+openai",)]


async def test_what_ended_while_nobody_looked_has_its_end_told() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
    async with await restarted(stage) as again:
        await again.passes(120)

        assert again.hook.said == [("-openai",)]
        assert again.memory.told == {}


async def test_an_end_that_was_not_yet_told_keeps_its_time() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
        ended = at(stage)
        await stage.fires()
    async with await restarted(stage) as again:
        again.clock._to(again.clock.tick() + 3600)
        await again.passes(120)

        assert again.hook.said == [("-openai",)]
        assert again.hook.sent[0].alerts[0].ends_at == ended


async def test_a_message_under_way_when_the_process_ended_is_sent_again_as_the_same() -> None:
    stage = Stage()
    async with stage:
        stage.hook.gate = asyncio.Event()
        await stage.fires(OPENAI)
        await stage.passes(31)
        (tried,) = stage.hook.tried
    async with await restarted(stage) as again:
        assert again.hook.tried == [], "before it is known what fires, nothing is sent"
        await again.fires(OPENAI)
        assert [message.id for message in again.hook.sent] == [tried.id]
        await again.passes(600)
        assert len(again.hook.sent) == 1
        assert again.memory.outbox == {}


async def test_if_it_was_received_after_all_its_end_is_told() -> None:
    stage = Stage()
    async with stage:
        stage.hook.gate = asyncio.Event()
        await stage.fires(OPENAI)
        await stage.passes(31)
    again = await restarted(stage)
    again.notifier.follow(again.configuration)
    again.hook.fault = GONE
    async with again:
        await again.passes(120)
        again.hook.fault = None
        await again.passes(600)

        assert again.hook.said == [("-openai",)]


async def test_what_may_have_been_called_over_is_told_anew_when_it_fires() -> None:
    stage = Stage()
    async with stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.hook.gate = asyncio.Event()
        await stage.fires()
        await stage.passes(61)
        assert len(stage.hook.tried) == 2, "its end is under way"
    again = await restarted(stage)
    again.notifier.follow(again.configuration)
    again.hook.fault = UNSURE
    async with again:
        await again.fires(OPENAI)
        await again.passes(120)
        again.hook.fault = None
        await again.passes(600)

        assert again.hook.said == [("+openai",)], "not that it is over, which is not true any more"


async def test_before_the_first_evaluation_nothing_is_said_to_be_over() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
    async with await restarted(stage) as again:
        for _ in range(40):
            await again.clock.advance(15)
            await settled()
        assert again.hook.tried == []
        await again.fires(OPENAI)
        await again.passes(120)
        assert again.hook.tried == []


async def test_a_disk_that_refuses_delays_no_message() -> None:
    memory = Memory()
    async with Stage(WEBHOOK, memory) as stage:
        memory.fault = OSError("no space left")
        await stage.fires(OPENAI)
        await stage.passes(31)
        assert stage.hook.said == [("+openai",)]
        memory.fault = None
        await stage.passes(15)
        assert len(memory.told) == 1
        assert memory.outbox == {}


async def test_a_storage_that_cannot_be_read_is_no_reason_to_be_silent() -> None:
    class Broken(Memory):
        def load(self) -> tuple[list[object], list[object]]:  # type: ignore[override]
            raise OSError("made up")

    async with Stage(WEBHOOK, Broken()) as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)

        assert stage.hook.said == [("+openai",)]


async def test_while_another_decides_nothing_is_begun() -> None:
    async with Stage() as stage:
        stage.hook.fault = GONE
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.notifier.rest()
        tries = len(stage.hook.tried)
        for _ in range(40):
            await stage.clock.advance(15)
            await settled()
        assert len(stage.hook.tried) == tries
        stage.hook.fault = None
        await stage.fires(OPENAI)
        assert stage.hook.said == [("+openai",)]


# Changes of the configuration


async def test_an_entry_that_is_gone_is_told_nothing_more_and_forgotten() -> None:
    async with Stage(f"{WEBHOOK}, {SLACK}") as stage:
        stage.media["slack"].fault = GONE
        await stage.fires(OPENAI)
        await stage.passes(31)
        tries = len(stage.media["slack"].tried)
        stage.notifier.follow(entries(WEBHOOK))
        await stage.passes(600)

        assert len(stage.media["slack"].tried) == tries
        assert {key[0] for key in (*stage.memory.outbox, *stage.memory.told)} == {"webhook"}
        assert [one.receiver for one in stage.notifier.told(OPENAI.fingerprint)] == ["webhook"]


async def test_an_entry_of_a_new_name_is_told_of_what_fires() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.notifier.follow(entries("{webhook: {url: 'http://127.0.0.1:9/hook'}, name: other}"))
        await stage.passes(61)

        assert stage.media["other"].said == [("+openai",)]


async def test_an_entry_with_a_new_address_goes_on_where_it_was() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.hook.fault = GONE
        await stage.fires(OPENAI, replace(STRIPE, starts_at=at(stage)))
        await stage.passes(31)
        stage.notifier.follow(entries("{webhook: {url: 'http://127.0.0.1:9/new'}}"))
        await stage.passes(31)

        assert stage.hook.said == [("+openai",), ("+stripe",)]


async def test_who_is_told_no_more_of_it_is_told_its_end() -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI, FIRST)
        await stage.passes(31)
        only_low = "{webhook: {url: 'http://127.0.0.1:9/hook'}, severities: [low]}"
        stage.notifier.follow(entries(f"{only_low}, {EMAIL}"))
        await stage.passes(600)
        assert stage.hook.said == [("+openai",), ("+a",)]
        await stage.fires()
        await stage.passes(61)
        assert stage.hook.said[2:] == [("-openai",)]


async def test_an_entry_that_is_removed_while_it_sends_leaves_nothing() -> None:
    async with Stage(f"{WEBHOOK}, {SLACK}") as stage:
        stage.media["slack"].gate = gate = asyncio.Event()
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.notifier.follow(entries(WEBHOOK))
        gate.set()
        await stage.passes(60)

        assert {key[0] for key in (*stage.memory.outbox, *stage.memory.told)} == {"webhook"}


async def test_entries_that_are_gone_when_the_process_starts_leave_nothing() -> None:
    async with Stage(f"{WEBHOOK}, {SLACK}") as stage:
        stage.media["slack"].fault = GONE
        await stage.fires(OPENAI)
        await stage.passes(31)
    async with await restarted(stage, PAGERDUTY) as again:
        await again.fires(OPENAI)
        await again.passes(61)

        assert {key[0] for key in (*again.memory.outbox, *again.memory.told)} == {"pagerduty"}


async def test_the_states_of_the_entries_show_what_fails() -> None:
    async with Stage(f"{WEBHOOK}, {SLACK}") as stage:
        stage.media["slack"].fault = GONE
        await stage.fires(OPENAI)
        await stage.passes(31)

        webhook, slack = stage.notifier.states

        assert (webhook.failing_since, webhook.why, webhook.waiting) == (None, "", 0)
        assert slack.failing_since == pytest.approx(at(stage), abs=31)
        assert (slack.why, slack.waiting) == ("no connection", 1)


async def test_an_entry_that_fails_is_an_alert_for_the_others() -> None:
    async with Stage(f"{WEBHOOK}, {SLACK}") as stage:
        stage.media["slack"].fault = REFUSED
        await stage.fires(OPENAI)
        await stage.passes(300)
        assert stage.notifier.failing() == []
        await stage.passes(60)
        (failing,) = stage.notifier.failing("main")
        assert (failing.labels["medium"], failing.labels["cluster"]) == ("slack", "main")
        assert stage.hook.said == [("+openai",), ("+NotificationsFailing",)]
        stage.media["slack"].fault = None
        await stage.passes(301)
        assert stage.media["slack"].said == [("+openai",)]
        assert stage.notifier.failing() == []


# The clock


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
async def test_a_clock_that_jumps_tells_nothing_twice_and_nothing_later(jump: float) -> None:
    async with Stage() as stage:
        await stage.fires(OPENAI)
        await stage.passes(31)
        stage.clock._now += jump
        await stage.passes(600)
        assert stage.hook.said == [("+openai",)]
        await stage.fires()
        await stage.passes(61)
        assert stage.hook.said[1:] == [("-openai",)]
        over = stage.hook.sent[-1].alerts[0]
        assert over.ends_at is not None
        assert over.ends_at >= over.starts_at

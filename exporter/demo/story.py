"""The story: three troubles, each from its first failed probe to the last notification."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from exporter.demo.chain import HOW, missing
from exporter.demo.providers import NAMES, Fault
from exporter.demo.sinks import Notice
from exporter.demo.stage import SPEED, Stage, built, new_key
from exporter.incidents import Incident, IncidentStatus, Query
from exporter.model import Verdict, advice_of
from exporter.results import Status, status_of
from exporter.secret import Secret

_PATIENCE = 60.0
_MEDIA = {"mail": "mailbox", "slack": "Slack", "pagerduty": "PagerDuty", "webhook": "webhook"}


class StoryError(Exception):
    """What should have happened did not; the message says what."""


async def tell(port: int, *, keep: bool) -> None:
    """Play the story and narrate it; with *keep* everything runs on until cancelled.

    Raises:
        StoryError: something did not happen in time.
        ChainError: Prometheus or Alertmanager does not start.
        OSError: the port cannot be had.
    """
    teller = Teller(Console(highlight=False, soft_wrap=True))
    lacking = missing()
    with tempfile.TemporaryDirectory(prefix="service-registry-demo-") as folder:
        async with built(Path(folder), port, chain=not lacking) as stage:
            await teller.open(stage, lacking)
            await teller.outage()
            await teller.revoked_key()
            await teller.dead_network()
            await teller.sum_up()
            if keep:
                teller.say("everything runs on; stop it with Ctrl-C")
                await asyncio.Event().wait()


class Teller:
    """Lets things happen and says what is seen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = asyncio.get_running_loop().time()

    # -- saying ------------------------------------------------------------------------------

    def say(self, text: str, style: str = "") -> None:
        passed = asyncio.get_running_loop().time() - self._begun
        self._console.print(Text(f"{passed:6.1f}s  {text}", style))

    def _chapter(self, text: str) -> None:
        self._console.print()
        self.say(text, "bold")

    def _arrived(self, notice: Notice) -> None:
        style = "green" if notice.resolved else "red"
        self.say(f"         -> {_MEDIA[notice.medium]}: {notice.title}", style)

    # -- waiting -----------------------------------------------------------------------------

    async def _until(self, what: str, condition: Callable[[], Awaitable[bool] | bool]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    found = condition()
                    if found if isinstance(found, bool) else await found:
                        return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise StoryError(f"waited {_PATIENCE:.0f} s in vain: {what}") from None

    async def _well(self, service: str) -> None:
        app = self._stage.app
        target = app.registry.get(service)

        def reached() -> bool:
            return status_of(target, app.results.of(service)) is Status.HEALTHY

        await self._until(f"{service} is healthy", reached)
        self.say(f"exporter: {service} is healthy")

    async def _fails(self, service: str, verdict: Verdict) -> None:
        results = self._stage.app.results

        def reached() -> bool:
            last = results.of(service).last
            return last is not None and last.verdict is verdict

        await self._until(f"the verdict on {service} is {verdict}", reached)
        last = results.of(service).last
        assert last is not None
        fault = f"whose fault: {verdict} ({last.reason}); {advice_of(last.reason, verdict)}"
        self.say(f"exporter: {service} fails; {fault}")

    async def _incident(
        self, alertname: str, status: IncidentStatus, service: str = ""
    ) -> Incident:
        found: list[Incident] = []

        async def there() -> bool:
            asked = Query(service=service, status=status)
            seen = await self._stage.app.incidents.find(asked)
            found[:] = [one for one in seen if one.alertname == alertname]
            return bool(found)

        await self._until(f"{alertname} is {status}", there)
        return found[0]

    async def _told(self, title: str, media: tuple[str, ...], *, resolved: bool = False) -> None:
        """Wait until every one of *media* was told of *title* since the chapter began."""

        def all_told() -> bool:
            told = {
                one.medium
                for one in self._stage.sinks.notices[self._first :]
                if title in one.title and one.resolved is resolved
            }
            return set(media) <= told

        await self._until(f"{', '.join(media)} told of {title}", all_told)

    def _begin(self, text: str) -> None:
        self._chapter(text)
        self._first = len(self._stage.sinks.notices)

    # -- the story ---------------------------------------------------------------------------

    async def open(self, stage: Stage, lacking: list[str]) -> None:
        """Say what runs and wait until it is well."""
        self._stage = stage
        stage.sinks.arrived = self._arrived
        self._chapter(f"Five services, probed every second: {', '.join(NAMES)}")
        self.say(f"status page   {stage.url}")
        if lacking:
            self.say(f"not installed: {', '.join(lacking)} ({HOW})", "yellow")
            self.say("so this shows the exporter alone: no alerts, incidents or messages", "yellow")
        else:
            self.say(f"Prometheus    {stage.prometheus}/alerts")
            self.say(f"Alertmanager  {stage.alertmanager}")
            self.say(f"The shipped rules and routes run {SPEED:.0f} times faster than in earnest.")
        for name in NAMES:
            await self._well(name)

    async def outage(self) -> None:
        """A provider fails, is taken by a person, and comes back."""
        stage = self._stage
        self._begin("Stripe begins to answer 503")
        stage.providers.faults["stripe"] = Fault.DOWN
        await self._fails("stripe", Verdict.PROVIDER)
        if stage.alertmanager:
            opened = await self._incident("ServiceDown", IncidentStatus.OPEN, "stripe")
            self.say(f"incident {opened.id} opened: {opened.summary}")
            await self._told("stripe", ("mail", "slack", "pagerduty", "webhook"))
            taken = await stage.app.incidents.acknowledge(opened.id, "ann", "calling Stripe")
            assert taken.acknowledged_at is not None
            waited = taken.acknowledged_at - taken.started_at
            self.say(f"ann takes it after {waited:.0f} s: nobody else will be woken")
        self.say("Stripe recovers")
        stage.providers.faults["stripe"] = Fault.NONE
        await self._well("stripe")
        if stage.alertmanager:
            await self._ended("ServiceDown", "stripe")
            await self._told("stripe", ("mail", "slack", "pagerduty", "webhook"), resolved=True)

    async def revoked_key(self) -> None:
        """A key stops working; a new one is verified with the provider and used."""
        stage = self._stage
        self._begin("OpenAI revokes our key")
        stage.providers.revoked.add(stage.keys["openai"])
        await self._fails("openai", Verdict.CREDENTIAL)
        if stage.alertmanager:
            opened = await self._incident("ServiceKeyRejected", IncidentStatus.OPEN, "openai")
            self.say(f"incident {opened.id} opened: {opened.summary}")
            await self._told("openai", ("mail", "slack", "webhook"))
        self.say("a new key is verified with the provider and takes over")
        fresh = Secret(new_key("openai"))
        await stage.app.management.rotate("openai", fresh, "demo")
        await self._well("openai")
        if stage.alertmanager:
            await self._ended("ServiceKeyRejected", "openai")

    async def dead_network(self) -> None:
        """Everything fails at once, the canary too: one message, not five."""
        stage = self._stage
        self._begin("Our own network dies: all five services and the canary are out of reach")
        await stage.providers.disconnect()
        for name in NAMES:
            await self._fails(name, Verdict.NETWORK)
        self.say("no error budget is burned: it is not theirs")
        if stage.alertmanager:
            await self._told("network", ("mail", "slack", "pagerduty", "webhook"))
            await self._until("the services' alerts are held back", self._all_held)
            pages = [
                one
                for one in stage.sinks.notices[self._first :]
                if one.medium == "pagerduty" and not one.resolved
            ]
            self.say(f"five ServiceDown alerts are held back; pages sent: {len(pages)}")
            if len(pages) != 1:
                raise StoryError("one page was to be sent")
        self.say("the network is back")
        await stage.providers.connect()
        for name in NAMES:
            await self._well(name)

    async def sum_up(self) -> None:
        """Say what the log remembers."""
        self._chapter("What the incident log remembers")
        if not self._stage.alertmanager:
            self.say("nothing: without Prometheus and Alertmanager there are no incidents")
            return
        await self._until("every incident is resolved", self._all_resolved)
        stats = await self._stage.app.incidents.stats()
        self.say(
            f"{stats.total} incidents, {stats.resolved} of them resolved; those of the services "
            "behind our network are remembered, though nobody was told of them"
        )
        if stats.mtta_seconds is not None and stats.mttr_seconds is not None:
            self.say(
                f"mean time to acknowledge {stats.mtta_seconds:.0f} s, "
                f"to resolve {stats.mttr_seconds:.0f} s"
            )

    async def _all_resolved(self) -> bool:
        return not await self._stage.app.incidents.unresolved()

    async def _all_held(self) -> bool:
        seen = await self._stage.app.incidents.unresolved()
        held = {one.service for one in seen if one.suppressed and one.alertname == "ServiceDown"}
        return held >= set(NAMES)

    async def _ended(self, alertname: str, service: str) -> None:
        ended = await self._incident(alertname, IncidentStatus.RESOLVED, service)
        assert ended.resolved_at is not None
        lasted = ended.resolved_at - ended.started_at
        self.say(f"incident {ended.id} resolved after {lasted:.0f} s")

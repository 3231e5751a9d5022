"""The story: three troubles, each from its first failed probe to the last notification."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from exporter.demo.progress import Waits
from exporter.demo.providers import NAMES, Fault
from exporter.demo.sinks import Notice
from exporter.demo.stage import SPEED, Stage, new_key, running_stage
from exporter.incidents import Incident, IncidentStatus, Query
from exporter.model import Verdict, advice_of
from exporter.programs import INSTALL_HINT, missing_programs
from exporter.results import Status, status_of
from exporter.secret import Secret

_PATIENCE_SECONDS = 60.0
_MEDIA = {"mail": "mailbox", "slack": "Slack", "pagerduty": "PagerDuty", "webhook": "webhook"}


class StoryError(Exception):
    """An expected event did not happen; the message names it."""


async def tell(port: int, *, keep: bool | None) -> None:
    """Play the story and narrate it.

    With *keep* everything runs on until SIGINT or SIGTERM; None: if there is a terminal.

    Raises:
        StoryError: something did not happen in time.
        ProgramError: Prometheus or Alertmanager does not start.
        OSError: the port cannot be bound, or one of the two is not ready within 30 s.
    """
    console = Console(highlight=False, soft_wrap=True)
    narrator, missing = Narrator(console), missing_programs()
    with tempfile.TemporaryDirectory(prefix="service-registry-demo-") as folder:
        async with contextlib.AsyncExitStack() as stack:
            others = "" if missing else ", Prometheus and Alertmanager"
            async with narrator.waits.until(f"simulated providers, exporter{others} have started"):
                stage = await stack.enter_async_context(
                    running_stage(Path(folder), port, chain=not missing)
                )
            await narrator.open(stage, missing)
            await narrator.outage()
            await narrator.revoked_key()
            await narrator.dead_network()
            await narrator.sum_up()
            await narrator.end(keep=console.is_terminal if keep is None else keep)


class Narrator:
    """Causes each trouble and prints what the programs do about it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_at = asyncio.get_running_loop().time()
        self.waits = Waits(console, self.say)

    # -- printing ----------------------------------------------------------------------------

    def say(self, text: str, style: str = "") -> None:
        self.waits.said_at = asyncio.get_running_loop().time()
        passed = self.waits.said_at - self._started_at
        self._console.print(Text(f"{passed:6.1f}s  {text}", style))

    def _chapter(self, text: str) -> None:
        self._console.print()
        self.say(text, "bold")

    def _show(self, notice: Notice) -> None:
        style = "green" if notice.resolved else "red"
        self.say(f"         -> {_MEDIA[notice.medium]}: {notice.title}", style)

    # -- waiting -----------------------------------------------------------------------------

    async def _until(self, goal: str, condition: Callable[[], Awaitable[bool] | bool]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self.waits.until(goal):
                while True:
                    reached = condition()
                    if reached if isinstance(reached, bool) else await reached:
                        return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise StoryError(f"not reached within {_PATIENCE_SECONDS:.0f} s: {goal}") from None

    async def _until_healthy(self, service: str) -> None:
        app = self._stage.app
        target = app.registry.get(service)

        def is_healthy() -> bool:
            return status_of(target, app.results.of(service)) is Status.HEALTHY

        await self._until(f"{service} is healthy", is_healthy)
        self.say(f"exporter: {service} is healthy")

    async def _until_failing(self, service: str, verdict: Verdict) -> None:
        results = self._stage.app.results

        def has_verdict() -> bool:
            last = results.of(service).last
            return last is not None and last.verdict is verdict

        await self._until(f"the verdict on {service} is {verdict}", has_verdict)
        last = results.of(service).last
        assert last is not None
        has_page = self._stage.app.registry.get(service).has_page
        advice = advice_of(last.reason, verdict, has_page=has_page)
        fault = f"whose fault: {verdict} ({last.reason}); {advice}"
        self.say(f"exporter: {service} fails; {fault}")

    async def _until_incident(
        self, alertname: str, status: IncidentStatus, service: str = ""
    ) -> Incident:
        matching: list[Incident] = []

        async def exists() -> bool:
            query = Query(service=service, status=status)
            incidents = await self._stage.app.incidents.find(query)
            matching[:] = [incident for incident in incidents if incident.alertname == alertname]
            return bool(matching)

        await self._until(f"{alertname} is {status}", exists)
        return matching[0]

    async def _until_notified(
        self, title: str, media: tuple[str, ...], *, resolved: bool = False
    ) -> None:
        """Wait until each of *media* got a notice of *title* since the chapter began."""

        def all_notified() -> bool:
            notified = {
                notice.medium
                for notice in self._stage.sinks.notices[self._first :]
                if title in notice.title and notice.resolved is resolved
            }
            return set(media) <= notified

        named = ", ".join(_MEDIA[medium] for medium in media)
        news = f"{title} is over" if resolved else f"{title} fails"
        await self._until(f"{named} got the message that {news}", all_notified)

    def _start(self, text: str) -> None:
        self._chapter(text)
        self._first = len(self._stage.sinks.notices)

    # -- the story ---------------------------------------------------------------------------

    async def open(self, stage: Stage, missing: list[str]) -> None:
        """Print what runs, and wait until every service is healthy."""
        self._stage = stage
        stage.sinks.on_notice = self._show
        self._chapter(f"Five services, probed every second: {', '.join(NAMES)}")
        self.say(f"status page   {stage.url}")
        if missing:
            self.say(f"not installed: {', '.join(missing)} ({INSTALL_HINT})", "yellow")
            self.say("so this shows the exporter alone: no alerts, incidents or messages", "yellow")
        else:
            self.say(f"Prometheus    {stage.prometheus}/alerts")
            self.say(f"Alertmanager  {stage.alertmanager}")
            self.say(
                f"The shipped rules and routes run {SPEED:.0f} times faster than in production."
            )
        for name in NAMES:
            await self._until_healthy(name)

    async def outage(self) -> None:
        """A provider fails, a person acknowledges the incident, and the provider recovers."""
        stage = self._stage
        self._start("Stripe begins to answer 503")
        stage.providers.faults["stripe"] = Fault.DOWN
        await self._until_failing("stripe", Verdict.PROVIDER)
        if stage.alertmanager:
            opened = await self._until_incident("ServiceDown", IncidentStatus.OPEN, "stripe")
            self.say(f"incident {opened.id} opened: {opened.summary}")
            await self._until_notified("stripe", ("mail", "slack", "pagerduty", "webhook"))
            acknowledged = await stage.app.incidents.acknowledge(opened.id, "ann", "calling Stripe")
            assert acknowledged.acknowledged_at is not None
            waited = acknowledged.acknowledged_at - acknowledged.started_at
            self.say(f"ann acknowledges it after {waited:.0f} s: nobody else will be woken")
        self.say("Stripe recovers")
        stage.providers.faults["stripe"] = Fault.NONE
        await self._until_healthy("stripe")
        if stage.alertmanager:
            await self._until_resolved("ServiceDown", "stripe")
            await self._until_notified(
                "stripe", ("mail", "slack", "pagerduty", "webhook"), resolved=True
            )

    async def revoked_key(self) -> None:
        """A key stops working; a new one is verified with the provider and used."""
        stage = self._stage
        self._start("OpenAI revokes our key")
        stage.providers.revoked.add(stage.keys["openai"])
        await self._until_failing("openai", Verdict.CREDENTIAL)
        if stage.alertmanager:
            opened = await self._until_incident("ServiceKeyRejected", IncidentStatus.OPEN, "openai")
            self.say(f"incident {opened.id} opened: {opened.summary}")
            await self._until_notified("openai", ("mail", "slack", "webhook"))
        self.say("a new key is verified with the provider and takes over")
        fresh = Secret(new_key("openai"))
        await stage.app.management.rotate("openai", fresh, "demo")
        await self._until_healthy("openai")
        if stage.alertmanager:
            await self._until_resolved("ServiceKeyRejected", "openai")

    async def dead_network(self) -> None:
        """Everything fails at once, the canary too: one message, not five."""
        stage = self._stage
        self._start("Our own network dies: all five services and the canary are out of reach")
        begun = stage.app.clock.now()
        await stage.providers.disconnect()
        for name in NAMES:
            await self._until_failing(name, Verdict.NETWORK)
        self.say("no error budget is burned: the providers are not at fault")
        if stage.alertmanager:
            await self._until_notified("network", ("mail", "slack", "pagerduty", "webhook"))
            pages = [
                notice
                for notice in stage.sinks.notices[self._first :]
                if notice.medium == "pagerduty" and not notice.resolved
            ]
            self.say(f"no service is said to be down; pages sent: {len(pages)}")
            if len(pages) != 1:
                raise StoryError("expected exactly one page")
        self.say("the network is back")
        await stage.providers.connect()
        for name in NAMES:
            await self._until_healthy(name)
        if stage.alertmanager:
            await self._until_notified("MonitoringNetworkDown", ("pagerduty",), resolved=True)
            if await self._down_since(begun):
                raise StoryError("a service was said to be down, and it was our own network")

    async def sum_up(self) -> None:
        """Print the figures of the incident log."""
        self._chapter("What the incident log remembers")
        if not self._stage.alertmanager:
            self.say("nothing: without Prometheus and Alertmanager there are no incidents here")
            return
        await self._until("every incident is resolved", self._all_resolved)
        stats = await self._stage.app.incidents.stats()
        self.say(
            f"{stats.total} incidents, {stats.resolved} of them resolved; the dead network is one, "
            "and no service behind it has one of its own"
        )
        if stats.mtta_seconds is not None and stats.mttr_seconds is not None:
            self.say(
                f"mean time to acknowledge {stats.mtta_seconds:.0f} s, "
                f"to resolve {stats.mttr_seconds:.0f} s"
            )

    async def end(self, *, keep: bool) -> None:
        """Print what to look at; with *keep* run on until a signal."""
        stage = self._stage
        self._chapter("Look at it yourself" if keep else "Everything ends here")
        if not keep:
            self.say("to look at it: service-registry demo --keep")
            self.say("your own services: service-registry serve --from-env, or --config FILE")
            return
        self.say(f"status page   {stage.url}")
        self.say(f"incidents     {stage.url}incidents")
        if stage.alertmanager:
            self.say(f"Prometheus    {stage.prometheus}/alerts")
            self.say(f"Alertmanager  {stage.alertmanager}")
        self.say(f"on a terminal service-registry top --url {stage.url.rstrip('/')}")
        self.say(f"break one     curl -X POST {stage.providers.url}/faults/stripe/down")
        self.say(f"repair it     curl -X POST {stage.providers.url}/faults/stripe/none")
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        self.say("everything runs on; stop it with Ctrl-C")
        await stop.wait()
        self.say("stopping")

    async def _all_resolved(self) -> bool:
        return not await self._stage.app.incidents.unresolved()

    async def _down_since(self, begun: float) -> bool:
        """Return whether a service was said to be down since the Unix time *begun*."""
        incidents = await self._stage.app.incidents.find(Query())
        return any(i.alertname == "ServiceDown" and i.started_at >= begun for i in incidents)

    async def _until_resolved(self, alertname: str, service: str) -> None:
        incident = await self._until_incident(alertname, IncidentStatus.RESOLVED, service)
        assert incident.resolved_at is not None
        lasted = incident.resolved_at - incident.started_at
        self.say(f"incident {incident.id} resolved after {lasted:.0f} s")

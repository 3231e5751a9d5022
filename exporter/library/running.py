"""The life of one registry: prepared once, on one event loop, started, stopped, freed."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from exporter.app import App

_log = logging.getLogger(__name__)
_STOPPED = "this registry was stopped and does not start again; make another one"
_FOREIGN = "this registry works on another event loop; make one registry for each loop"
_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104, only read


class Running:
    """Prepares the app when it is first needed, runs its loops, and frees it in the end."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._prepared = self._stopped = False
        self._stop, self._changing = asyncio.Event(), asyncio.Lock()
        self._work: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._dashboard: contextlib.AsyncExitStack | None = None
        self._host = ""
        app.monitor.is_on = False  # nothing is asked before monitoring is started

    @property
    def dashboard_url(self) -> str | None:
        """Where the dashboard answers; None while it does not run."""
        if self._dashboard is None:
            return None
        host = _WILDCARDS.get(self._host, self._host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.app.port}"

    def prepare(self) -> None:
        """Load the configuration, unless that is done.

        Raises:
            SettingsError: it is not valid.
            RuntimeError: the registry works on another event loop.
        """
        self._check_loop()
        if not self._prepared:
            self._check_alive()
            self.app.prepare()
            self._prepared = True

    def enter(self) -> None:
        """Do as `prepare`, for what needs an event loop: from now on the registry has this one.

        Raises:
            SettingsError: the configuration is not valid.
            RuntimeError: the registry was stopped, or works on another event loop.
        """
        self._check_alive()
        self.prepare()
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Run the background loops until `stop`. Whether anything is probed is the monitor's."""
        self.enter()
        if self._work is None:
            self._work = asyncio.create_task(self.app.work(self._stop))
            self._work.add_done_callback(_report)

    async def start_dashboard(self, host: str, port: int) -> str:
        """Serve page, API and /metrics; return their address.

        Raises:
            RuntimeError: they are served already.
            OSError: the address cannot be bound.
        """
        self.enter()
        async with self._changing:
            if self._dashboard is not None:
                raise RuntimeError(f"the dashboard is at {self.dashboard_url} already")
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(self.app.serving(host, port))
                self._dashboard, self._host = stack.pop_all(), host
        self.start()
        assert self.dashboard_url is not None
        return self.dashboard_url

    async def stop_dashboard(self) -> None:
        """Close the server and its connections, if it runs."""
        self._check_loop()
        async with self._changing:
            dashboard, self._dashboard = self._dashboard, None
            if dashboard is not None:
                await dashboard.aclose()

    async def stop(self) -> None:
        """Stop everything and free it; doing it again does nothing.

        Raises:
            RuntimeError: the registry works on another event loop.
        """
        self._check_loop()
        self._stopped = True
        self._stop.set()
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
            await asyncio.shield(self._ending)  # it goes on if who waits for it is cancelled
        else:
            await asyncio.wait((self._ending,))

    async def _end(self) -> None:
        try:
            if self._work is not None:
                await self._work
        finally:
            await self.stop_dashboard()
            await self.app.close()

    def _check_loop(self) -> None:
        """Refuse a loop that is not the registry's; a caller without one only reads."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._loop not in (None, running):
            raise RuntimeError(_FOREIGN)

    def _check_alive(self) -> None:
        if self._stopped:
            raise RuntimeError(_STOPPED)


def _report(work: asyncio.Task[None]) -> None:
    """Say at once that nothing is monitored any more; `stop` raises the error too."""
    if not work.cancelled() and (error := work.exception()) is not None:
        _log.error("monitoring has ended by itself", exc_info=error)

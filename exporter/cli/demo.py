"""`demo`: plays the demonstration of `exporter.demo`, or runs its simulated providers alone."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import signal
import sys

from exporter.cli.serving import listen_address
from exporter.demo import tell
from exporter.demo.providers import NAMES, Providers
from exporter.demo.story import StoryError
from exporter.log import configure
from exporter.programs import ProgramError
from exporter.secret import protect_process


def run_demo(arguments: argparse.Namespace) -> int:
    """Play the demonstration; return 1 if a step of it failed."""
    protect_process()
    configure("logfmt", logging.CRITICAL)
    if arguments.providers:
        asyncio.run(_run_providers(*listen_address(arguments.providers, "--providers")))
        return 0
    try:
        asyncio.run(tell(arguments.port, keep=arguments.keep))
    except (StoryError, ProgramError) as error:
        print(f"service-registry: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        way = "; choose another with --port N" if error.errno == errno.EADDRINUSE else ""
        print(f"service-registry: {error.strerror or error}{way}", file=sys.stderr)
        return 1
    return 0


async def _run_providers(host: str, port: int) -> None:
    """Run the simulated providers alone until SIGTERM or SIGINT."""
    providers = Providers(host, port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await providers.start()
    print(f"simulated providers: {', '.join(NAMES)} at http://{host}:{port}/NAME", flush=True)
    await stop.wait()
    await providers.stop()

"""`demo`: see everything at work in two minutes, with nothing to prepare."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from exporter.demo import tell
from exporter.demo.chain import ChainError
from exporter.demo.story import StoryError
from exporter.log import configure


def run_demo(arguments: argparse.Namespace) -> int:
    """Play the demonstration; 1 if it did not go as it should."""
    configure("logfmt", logging.CRITICAL)
    try:
        asyncio.run(tell(arguments.port, keep=arguments.keep))
    except (StoryError, ChainError) as error:
        print(f"service-registry: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"service-registry: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0

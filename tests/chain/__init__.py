"""The whole chain of real programs on loopback: providers, exporter, Prometheus, Alertmanager."""

from tests.chain.programs import SPEED
from tests.chain.provider import GOOD, Answer
from tests.chain.running import Chain, chain, of_the_machine

__all__ = ["GOOD", "SPEED", "Answer", "Chain", "chain", "of_the_machine"]

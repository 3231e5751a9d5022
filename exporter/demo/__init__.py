"""`service-registry demo`: an outage, a revoked key and a dead network, narrated as they happen.

Simulated providers, the real exporter, and, where they are installed, the real Prometheus and
Alertmanager with the shipped rules and routes, on clocks that run faster.
"""

from exporter.demo.story import tell

__all__ = ["tell"]

"""A file for each kind of probe, found by listing; `health_check.prober` names one.

A file has `make(transport, clock)`, which returns a `Prober`, and `command(endpoint)`, the line
that a person would type to see the same, with everything secret masked.
"""

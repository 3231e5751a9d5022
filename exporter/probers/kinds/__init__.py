"""One file for each kind of probe, found by listing; `health_check.prober` names one.

A file has `make(transport, clock)`, which returns a `Prober`, and `command(endpoint)`, which
returns the shell command that sends the same request, with every secret masked.
"""

"""A file for each tool whose configuration can be imported; `importing` finds them by listing.

The name of a file is the value of --from, with - for _. A file has `MARK` (the key that the format
is known by, for messages), `recognised(data)` and `collect(ledger, targets)`, which adds services
to the ledger's report. `TAKES_TARGETS` is whether the targets are in a second file, `EXPANDS`
whether the tool expands environment variables.
"""

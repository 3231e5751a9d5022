"""A file for each tool whose configuration can be imported; `importing` finds them by listing.

A file has `NAME` (as it is typed), `MARK` (by what people know the format), `recognised(data)` and
`take(ledger, targets)`, which adds services to the ledger's report. `TAKES_TARGETS` is whether
what to probe is in a second file, `EXPANDS` whether the tool expands variables of the environment.
"""

"""Errors in how a command was typed, and counts in messages."""


class UsageError(Exception):
    """The arguments cannot be used as typed; the message is for the user."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return *number* with its noun: `1 service`, `2 services`, `2 canaries`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"

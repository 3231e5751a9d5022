"""The base of the errors whose text is written for people: a command prints it and ends."""

from __future__ import annotations


class ShownError(Exception):
    """Something that whoever runs the exporter can mend; the text names it and holds no secret."""

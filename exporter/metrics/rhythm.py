"""When the next page is to be expected, counted in turns of the loop that renders beforehand.

Pure; whoever makes a page says so, and the loop asks once a turn.
"""

from __future__ import annotations


class Rhythm:
    """Knows how many turns lay between pages; before the second one nothing is expected.

    Several may read pages: the shorter of the last two gaps counts, so that each finds little left.

    >>> rhythm = Rhythm()
    >>> rhythm.note(), rhythm.expects_one(), rhythm.expects_one(), rhythm.note()
    (None, False, False, None)
    >>> [rhythm.expects_one() for _ in range(5)]
    [False, True, True, True, False]
    """

    def __init__(self) -> None:
        self._gaps: tuple[int, int] | None = None
        """Turns between the last three pages, the newest gap first."""
        self._since: int | None = None
        """Turns since the last page; None before the first."""

    def note(self) -> None:
        """Say that a page is made now."""
        if self._since:  # two within one turn count as one
            self._gaps = (self._since, self._gaps[0] if self._gaps else self._since)
        self._since = 0

    def expects_one(self) -> bool:
        """Return whether a page is to be expected within the next turn; call it once a turn.

        One that is late is waited for as long again; then nobody reads pages any more.
        """
        if self._since is None:
            return False
        self._since += 1
        if self._gaps is None:
            return False
        return min(self._gaps) <= self._since <= 2 * min(self._gaps)

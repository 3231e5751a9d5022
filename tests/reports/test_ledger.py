"""What is known of each minute: what is not kept, not registered, not running is not good."""

from __future__ import annotations

from exporter.reports.ledger import ledger
from exporter.results import Kept, Minute, Seen

M = 29_700_000


def states(kept: Kept, length: int) -> str:
    """Return a letter for each minute: g(ood), f(ailing), x for a gap, or of another cause."""
    stretches = ledger(M, M + length, kept)
    assert [one.start for one in stretches[1:]] == [one.end for one in stretches[:-1]]
    letters = {Seen.GAP: "x"}
    return "".join(letters.get(one.seen, one.seen.value[0]) * one.length for one in stretches)


def failing(minute: int, hold: int = 1) -> Minute:
    return Minute(M + minute, hold, Seen.FAILING, 1, 1, "timeout")


def test_without_a_run_nothing_is_known() -> None:
    assert states(Kept(), 4) == "uuuu"
    assert {one.seen for one in ledger(M, M + 4, Kept())} == {Seen.UNKEPT}


def test_between_two_runs_the_exporter_did_not_run_and_before_the_first_nothing_is_kept() -> None:
    kept = Kept(alive=((M + 1, M + 3), (M + 5, M + 7)), watched=((M, M + 9),))

    assert states(kept, 9) == "uggeeggee"


def test_before_it_was_registered_a_service_is_not_good() -> None:
    kept = Kept(alive=((M, M + 9),), watched=((M + 2, M + 4), (M + 6, M + 9)))

    assert states(kept, 9) == "uugguuggg"


def test_what_is_removed_is_not_good() -> None:
    kept = Kept(alive=((M, M + 9),), watched=((M, M + 9),), since=M + 4)

    assert states(kept, 9) == "uuuuggggg"


def test_an_entry_holds_until_the_next_one_at_the_latest() -> None:
    kept = Kept(
        minutes=(failing(1, 5), Minute(M + 3, 1, Seen.GOOD, 1), Minute(M + 5, 2, Seen.NETWORK)),
        alive=((M, M + 9),),
        watched=((M, M + 9),),
    )

    assert states(kept, 9) == "gffggnngg"


def test_what_nobody_saw_hides_what_an_entry_says() -> None:
    kept = Kept(
        minutes=(failing(1, 6), Minute(M + 2, 3, Seen.CLOCK), Minute(M + 3, 5, Seen.GAP)),
        alive=((M, M + 9),),
        watched=((M, M + 9),),
    )

    assert states(kept, 9) == "gfcccxxxg"


def test_an_entry_that_began_before_the_time_holds_into_it() -> None:
    kept = Kept(minutes=(failing(-2, 4),), alive=((M - 9, M + 9),), watched=((M - 9, M + 9),))

    assert states(kept, 4) == "ffgg"
    assert not ledger(M, M + 4, kept)[0].probed


def test_no_time_has_no_minutes() -> None:
    assert ledger(M, M, Kept()) == ()

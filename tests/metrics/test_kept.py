"""Lines as they are kept: without the labels of their service, and once for all that are equal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics import FAMILIES
from exporter.metrics.family import When
from exporter.metrics.kept import PLACE, length, packed, shared, written
from exporter.textformat import escaped, labelled
from tests.fakes import service_target
from tests.metrics.test_exposition import Stage, rich_probe

_LINES = st.lists(st.sampled_from(["up{%s} 1\n", 'up{%s,le="1"} 2\n', "é{%s} 3\n"]), max_size=3)


@given(st.lists(st.tuples(_LINES, st.text()), min_size=1, max_size=6))
def test_lines_come_out_as_if_their_labels_had_been_written_at_once(
    services: list[tuple[list[str], str]],
) -> None:
    kept = [packed("".join(lines).replace("%s", PLACE)) for lines, _ in services]
    labels = [labelled(service=name) for _, name in services]
    whole = [
        "".join(line.replace("%s", own) for line in lines).encode()
        for (lines, _), own in zip(services, labels, strict=True)
    ]
    assert written(kept, [own.encode() for own in labels]) == b"".join(whole)
    assert [length(*pair) for pair in zip(kept, map(str.encode, labels), strict=True)] == [
        len(lines) for lines in whole
    ]


@given(st.text())
def test_no_label_holds_the_mark_of_the_place_of_the_common_ones(text: str) -> None:
    assert PLACE not in escaped(text)
    assert packed(PLACE) not in escaped(text).encode()


def test_equal_lines_are_one_object() -> None:
    assert shared(bytes([1, 2])) is shared(bytes([1, 2]))


async def test_what_services_have_in_common_is_kept_once() -> None:
    stage = Stage()
    for name in ("a", "b"):
        rich_probe(stage, stage.put(service_target(name)))
    await stage.text()
    one, other = stage.exposition._rows.values()
    assert one.common is other.common
    assert one.snapshot is not None
    assert other.snapshot is not None
    assert one.snapshot.state is other.snapshot.state
    assert [family.name for family in FAMILIES if family.when is When.TARGET] == ["service_info"]

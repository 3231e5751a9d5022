"""The cycle collector is off while much is made that stays, and no longer."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from exporter.cli.commands import _imported
from exporter.collection import no_collection


def test_it_is_off_inside_and_as_it_was_afterwards() -> None:
    with no_collection():
        assert not gc.isenabled()
        with no_collection():
            pass
        assert not gc.isenabled()

    assert gc.isenabled()


def test_it_is_on_again_after_a_failure() -> None:
    with pytest.raises(ValueError, match="mine"), no_collection():
        raise ValueError("mine")

    assert gc.isenabled()


def test_what_a_command_needs_is_imported_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needed_by_a_command.py").write_text(
        "import gc\nWAS_ON = gc.isenabled()\n\n\ndef was_on():\n    return WAS_ON\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    assert _imported("needed_by_a_command", "was_on")() is False
    assert gc.isenabled()

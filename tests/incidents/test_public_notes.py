"""Notes for outsiders: by the API, the command and the library; all others stay inside."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from exporter import ServiceRegistry
from exporter.cli import main
from tests.api.managed import TOKEN, Client, running

REPORT = {"by": "ann", "summary": "nobody can pay"}


async def opened(client: Client) -> str:
    return str((await client.ask("POST", "/api/incidents", REPORT)).json["id"])


@pytest.mark.parametrize(
    ("public", "kind"), [(True, "update"), (False, "note"), (None, "note")], ids=str
)
async def test_a_note_is_for_outsiders_if_it_says_so(public: bool | None, kind: str) -> None:
    async with running() as client:
        body = {"by": "ann", "note": "on it", **({} if public is None else {"public": public})}

        found = await client.ask("POST", f"/api/incidents/{await opened(client)}/note", body)

    assert found.status == 200
    last = found.json["timeline"][-1]
    assert (last["kind"], last["by"], last["note"]) == (kind, "ann", "on it")


@pytest.mark.parametrize("public", ["true", 1, None, []], ids=repr)
async def test_what_is_not_clearly_public_is_refused(public: object) -> None:
    async with running() as client:
        place = f"/api/incidents/{await opened(client)}/note"

        found = await client.ask("POST", place, {"by": "ann", "note": "x", "public": public})
        after = await client.ask("GET", place.removesuffix("/note"))

    assert (found.status, found.json["title"]) == (400, "public must be true or false")
    assert "x" not in [entry["note"] for entry in after.json["timeline"]]


async def test_taking_or_ending_an_incident_says_nothing_to_outsiders() -> None:
    async with running() as client:
        for verb in ("acknowledge", "resolve"):
            place = f"/api/incidents/{await opened(client)}/{verb}"
            found = await client.ask("POST", place, {"by": "ann", "note": "x", "public": True})
            assert found.status == 400


async def test_the_command_marks_a_note_as_public(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    async with running() as client:
        id_ = await opened(client)
        more = ["--admin-token-file", str(token), "--url", client.base, "--json", "--by", "ann"]
        for words in (["inside"], ["outside", "--public"]):
            assert await asyncio.to_thread(main, ["incidents", "note", id_, *words, *more]) == 0
            shown = json.loads(capsys.readouterr().out)

    kinds = [(entry["kind"], entry["note"]) for entry in shown["timeline"][-2:]]
    assert kinds == [("note", "inside"), ("update", "outside")]


async def test_the_library_marks_a_note_as_public() -> None:
    async with ServiceRegistry() as registry:
        id_ = (await registry.incidents.create_incident("nobody can pay", by="ann"))["id"]

        await registry.incidents.add_note(id_, "ann", "inside")
        found = await registry.incidents.add_note(id_, "ann", "outside", public=True)

    kinds = [(entry["kind"], entry["note"]) for entry in found["timeline"][-2:]]
    assert kinds == [("note", "inside"), ("update", "outside")]

"""The guide of monitoring in a program: its blocks run, and its tables name what there is."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import itertools
import logging
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.library import HealthMonitor, IncidentResponse, Incidents, ServiceRegistry
from exporter.log import event
from tests.fakes import KEY
from tests.library.answers import JSON, MODELS
from tests.patience import within
from tests.prose import parted
from tests.vendor import Peer, Seen, Vendor, answer

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "exporter" / "library" / "MONITORING.md"
BLOCKS = [block.text for block in parted(GUIDE)[1] if block.language == "python"]
HERE = '"base_url": os.environ["PLACE"], "health_check": {"allow_private_addresses": True}'
NEW = f"sk-{'n' * 40}"
PRINTED = {
    "CONFIG = {": r"healthy .+ True",
    "rotate_api_key": r"False auth_invalid the provider rejects the new key; the old one stays\n"
    r"True the old key still works at OpenAI: revoke it there .+\nTrue ok .+",
    "get_incident_response": r"paged: nobody can pay\n1",
}
CLASSES = (ServiceRegistry, HealthMonitor, Incidents, IncidentResponse)


async def models(peer: Peer, seen: Seen) -> None:
    """Answer 200 to the keys of the guide, 401 to others, as OpenAI does."""
    known = seen.header("Authorization") in {f"Bearer {KEY}", f"Bearer {NEW}"}
    error = {"error": {"code": "invalid_api_key", "message": "Incorrect API key provided"}}
    await (answer(200, MODELS, JSON) if known else answer(401, error, JSON))(peer, seen)


@pytest.mark.parametrize("name", PRINTED)
async def test_a_program_of_the_guide_runs(vendor: Vendor, name: str, tmp_path: Path) -> None:
    (program,) = [text for text in BLOCKS if name in text]
    vendor.on("/models", models)
    # The address of the provider is the one thing that a test cannot leave as it stands.
    (tmp_path / "program.py").write_text(
        program.replace('"provider": "openai"', f'"provider": "openai", {HERE}')
    )
    clean = {name: value for name, value in os.environ.items() if "_API_KEY" not in name}
    given = {
        "OPENAI_API_KEY": KEY,
        "NEW_KEY": NEW,
        "PLACE": vendor.url("").rstrip("/"),
        "WEBHOOK_URL": vendor.url("/hook"),
        "PYTHONPATH": str(ROOT),
    }

    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "program.py"),
        cwd=tmp_path,
        env=clean | given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await within(60, running.communicate())

    assert running.returncode == 0, err.decode()
    assert re.fullmatch(PRINTED[name], out.decode().strip()), out.decode()


def test_the_format_for_the_log_shows_the_details() -> None:
    (block,) = [text for text in BLOCKS if "logging.Formatter" in text]
    logger, out = logging.getLogger("exporter"), io.StringIO()
    before = list(logger.handlers)

    with contextlib.redirect_stderr(out):
        exec(block, {})
        event(logger, "configuration warning", level=logging.WARNING, problem="config: x: y")
        logger.warning("without")
    logger.handlers[:] = before

    assert "WARNING configuration warning {'problem': 'config: x: y'}" in out.getvalue()
    assert "WARNING without {}" in out.getvalue()


def test_every_block_of_the_guide_is_run() -> None:
    assert len(BLOCKS) == len(PRINTED) + 1


def public(cls: type) -> Iterator[tuple[str, object]]:
    for name, member in inspect.getmembers(cls):
        if not name.startswith("_") and (inspect.isfunction(member) or name == "dashboard_url"):
            yield name, member


def _is_code(row: str) -> bool:
    return row.startswith(" " * 12)


METHODS = [(cls, name, member) for cls in CLASSES for name, member in public(cls)]


@pytest.mark.parametrize(
    ("cls", "name", "member"), METHODS, ids=[f"{c.__name__}.{n}" for c, n, _ in METHODS]
)
def test_every_method_is_documented_with_an_example(cls: type, name: str, member: object) -> None:
    text = member.__doc__ or ""
    if isinstance(member, property) or (cls, name) == (ServiceRegistry, "stop"):
        assert text
        return

    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
    lines = itertools.dropwhile(
        lambda row: not _is_code(row), text.partition("Raises:")[0].split("\n")
    )
    rows = itertools.takewhile(lambda row: _is_code(row) or not row.strip(), lines)
    parsed = compile(textwrap.dedent("\n".join(rows)), name, "exec", flags)
    called = {n.attr for n in ast.walk(parsed) if isinstance(n, ast.Attribute)}
    assert name in called, text


def test_the_guide_names_every_method_and_no_other() -> None:
    text = GUIDE.read_text()
    table = text[text.index("| original |") : text.index("What has no counterpart")]
    ours = [row.split("|")[2] for row in table.splitlines() if row.startswith("| `")]
    named = {name for cell in ours for name in re.findall(r"[`.]([a-z_]+)(?=[(`])", cell)}
    known = {name for cls in CLASSES for name, _ in public(cls)} | {"incidents"}

    assert named - {"create_service_registry_from_env"} <= known
    assert {name for name, _ in public(ServiceRegistry)} - named <= {
        *("session", "httpx_transport", "httpx_sync_transport", "metrics"),
        *("dashboard_url", "incidents", "health_monitor"),
    }

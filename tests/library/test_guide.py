"""The guide of the library: its programs run as they stand, against a scripted API."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.fakes import KEY
from tests.library.answers import CHAT, CHAT_STREAM, JSON, MESSAGE, MODELS, SSE
from tests.patience import within
from tests.prose import parted
from tests.vendor import Vendor, answer

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "exporter" / "library" / "README.md"
PROGRAMS = [block for block in parted(GUIDE)[1] if block.language == "python"]
PRINTED = {
    "AsyncOpenAI": "Hello",
    "AsyncAnthropic": "Hello",
    "Mistral": "Hello",
    "import OpenAI": "gpt-5.1",
    "session(": "200",
}


@pytest.mark.parametrize("name", PRINTED)
async def test_a_program_of_the_guide_runs_as_it_stands(
    vendor: Vendor, tmp_path: Path, name: str
) -> None:
    (program,) = [block.text for block in PROGRAMS if name in block.text]
    vendor.on("/v1/chat/completions", answer(200, CHAT_STREAM, SSE))
    if name == "Mistral":
        vendor.on("/v1/chat/completions", answer(200, CHAT, JSON))
    vendor.on("/v1/messages", answer(200, MESSAGE, JSON))
    vendor.on("/v1/models", answer(200, MODELS, JSON))
    url = vendor.url("").rstrip("/")
    kinds = ("openai", "anthropic", "mistral")
    keys = {"openai": KEY, "anthropic": f"sk-ant-{'a' * 30}", "mistral": "m" * 32}
    check = {"allow_private_addresses": True}
    usual = {"base_url": f"{url}/v1", "health_check": check}
    services = [{"id": k, "provider": k, "api_key": keys[k]} | usual for k in kinds]
    (tmp_path / "services.yaml").write_text(json.dumps({"services": services}))
    (tmp_path / "program.py").write_text(program)
    clean = {name: value for name, value in os.environ.items() if "_API_KEY" not in name}
    places = {
        "OPENAI_BASE_URL": f"{url}/v1",
        "ANTHROPIC_BASE_URL": url,
        "MISTRAL_SERVER": url,
        "PYTHONPATH": str(ROOT),
    }

    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "program.py",
        cwd=tmp_path,
        env=clean | places,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await within(60, running.communicate())

    assert (out.decode().strip(), running.returncode) == (PRINTED[name], 0), err.decode()
    assert not any(seen.holds("not used") for seen in vendor.seen)


def test_every_program_of_the_guide_is_run() -> None:
    assert len(PROGRAMS) == len(PRINTED)

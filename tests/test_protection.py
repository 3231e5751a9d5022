"""What the process keeps for itself: its memory, its environment, its files, its children's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.programs import Program, ProgramError
from tests.fakes import KEY

# Ends with wrong usage right after the protection, and then says how the process is. A test that
# runs as root becomes somebody else, since root may read everything; and a process that changes its
# user is protected by the kernel, so that is taken back first.
SCRIPT = """
import ctypes, json, os, resource, sys
from exporter.cli import demo, main, serving, stack  # somebody else may not read them
libc = ctypes.CDLL(None)
os.umask(0)
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
libc.prctl(4, 1, 0, 0, 0)
try:
    code = main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
reading, writing = os.pipe()
if os.fork() == 0:
    try:
        seen = open(f"/proc/{os.getppid()}/environ").read()
    except OSError as error:
        seen = error.strerror
    os.write(writing, seen.encode())
    os._exit(0)
os.close(writing)
with open(reading) as pipe:
    environ = pipe.read()
umask, dumpable = os.umask(0), libc.prctl(3, 0, 0, 0, 0)
core = resource.getrlimit(resource.RLIMIT_CORE)
print(json.dumps([code, umask, dumpable, core, environ]))
"""
COMMANDS = [
    ("serve", "--shard.index", "7"),
    ("stack", "--minimal"),
    ("demo", "--providers", "nowhere"),
]


def _state_after(*command: str, **variables: str) -> tuple[int, int, int, list[int], str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *command],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "OPENAI_API_KEY": KEY, **variables},
    )
    code, umask, dumpable, core, environ = json.loads(done.stdout.splitlines()[-1])
    return code, umask, dumpable, core, environ


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_memory_environment_and_files_are_for_the_owner_alone(command: tuple[str, ...]) -> None:
    code, umask, dumpable, core, environ = _state_after(*command)

    assert code == 2
    assert umask == 0o077
    assert dumpable == 0
    assert core == [0, 0]
    assert environ == "Permission denied"


def test_a_developer_may_attach_a_debugger() -> None:
    _, umask, dumpable, _, environ = _state_after(*COMMANDS[0], SERVICE_REGISTRY_ALLOW_DEBUGGER="1")

    assert (umask, dumpable) == (0o077, 1)
    assert KEY in environ


async def test_a_child_gets_no_variable_that_it_does_not_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "prometheus"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\nexit 3\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    secrets = ("OPENAI_API_KEY", "SERVICE_REGISTRY_SECRET_KEY_FILE", "DATABASE_URL", "AWS_SECRET")
    for name in secrets:
        monkeypatch.setenv(name, KEY)

    with pytest.raises(ProgramError, match="exit code 3"):
        await Program("prometheus", (), "http://127.0.0.1:1").start(20)

    seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert KEY not in seen

"""What somebody names as a file: a key, a folder, a FIFO, a device, a text too long for a name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.files import exists, is_file, is_folder, named, read_bytes, read_text
from exporter.multitarget import Modules
from exporter.probers.client_keys import key_mistakes_of
from exporter.secret import SecretError, file_signature, read_key_file
from exporter.serving.web_config import WebFile
from exporter.settings import SettingsError
from exporter.store.errors import VaultError
from exporter.store.vault import Vault
from tests.fakes import FakeClock

TYPED = "sk-live-9f8e7d6c5b4a3210ffee"
LONG = "k" * 300
WRONG = ["folder", "fifo", "socket", "device", "long", "nul", "missing"]


@pytest.fixture
def wrong(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a path at which there is no file."""
    path = tmp_path / "named"
    match request.param:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(path))
        case "device":
            return Path("/dev/zero")
        case "long":
            return tmp_path / LONG
        case "nul":
            return tmp_path / "a\0b"
    return path


everything_wrong = pytest.mark.parametrize("wrong", WRONG, indirect=True)


@everything_wrong
def test_what_is_no_file_is_refused_in_words_and_at_once(wrong: Path) -> None:
    with pytest.raises(OSError) as caught:
        read_bytes(wrong)

    assert caught.value.strerror
    assert not is_file(wrong)
    assert wrong.name not in str(caught.value.strerror)


@everything_wrong
def test_every_reader_of_named_files_says_so(wrong: Path) -> None:
    with pytest.raises(SecretError, match="cannot be read"):
        read_key_file(wrong)
    with pytest.raises(VaultError, match="cannot be read"):
        Vault.from_file(wrong)
    with pytest.raises(SettingsError, match="cannot be read"):
        Modules(wrong).loading_with(lambda: None)()
    with pytest.raises(SettingsError, match="cannot be read"):
        WebFile(wrong, FakeClock()).load()
    assert list(key_mistakes_of({"key_file": str(wrong)})) == []
    file_signature(wrong)


@everything_wrong
def test_every_command_says_so_without_a_traceback(
    wrong: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = str(wrong)
    commands = [
        ["import", text],
        ["import", "--targets", text, text],
        ["providers", "--check", text],
        ["providers", "--providers", text],
        ["serve", "--admin-token-file", text],
        ["serve", "--alertmanager.token-file", text],
        ["rotate-key", "a", "--key-file", text, "--admin-token-file", __file__],
        ["stack", "--minimal", "--webhook-file", text],
    ]
    if not is_folder(wrong):
        commands += [["check-config", text], ["probe", "a", "--config", text]]
        commands += [["rotate-secret-key", "--data-dir", text], ["make-secrets", text + "/x/y"]]
    for command in commands:
        code = main(command)

        said = capsys.readouterr()
        assert code in (1, 2), command
        assert "internal error" not in said.err, command
        assert said.err.strip(), command


def test_a_pipe_of_the_shell_is_read() -> None:
    service = "services: [{id: a, base_url: https://a.example}]"
    script = f"{sys.executable} -m exporter check-config <(echo '{service}')"

    done = subprocess.run(
        ["bash", "-c", script], check=False, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stdout.splitlines()[0][:14]) == (0, "ok: 1 service "), done.stderr


def test_a_text_is_read_as_python_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("é\r\nb\rc\n".encode())

    assert read_text(path) == path.read_text(encoding="utf-8")


# -- a secret where a path belongs -----------------------------------------------------------


def test_a_path_is_shown_and_what_may_be_a_key_is_not(tmp_path: Path) -> None:
    assert named(tmp_path, "--x") == str(tmp_path)
    assert named(tmp_path / "missing", "--x") == str(tmp_path / "missing")
    assert named(Path("nothing/services.yaml"), "--x") == "nothing/services.yaml"
    for text in (TYPED, f"abc/{TYPED}", f"/{TYPED}/x", LONG, "a\0b", "hunter2"):
        assert named(Path(text), "--x") == "--x", text


COMMANDS = [
    ["check-config", TYPED],
    ["serve", "--config", TYPED],
    ["serve", "--admin-token-file", TYPED],
    ["serve", "--alertmanager.token-file", TYPED],
    ["serve", "--web.config.file", TYPED, "--listen", "127.0.0.1:0"],
    ["serve", "--probe.enable", "--probe.config.file", TYPED, "--listen", "127.0.0.1:0"],
    ["serve", "--alertmanager.interval", TYPED],
    ["serve", "--listen", TYPED],
    ["serve", TYPED],
    ["serve", "--alertmanager.url", TYPED],
    ["serve", "--prometheus.url", TYPED],
    ["stack", "--minimal", "--webhook-file", TYPED],
    ["stack", "--minimal", "--webhook", TYPED],
    ["import", TYPED],
    ["import", "--targets", TYPED, __file__, "--from", "blackbox"],
    ["import", __file__, "--from", TYPED],
    ["probe", TYPED],
    ["probe", "a", "--config", TYPED],
    ["probe", "http://127.0.0.1:9", "--ca-file", TYPED],
    ["providers", TYPED],
    ["providers", "--check", TYPED],
    ["providers", "--providers", TYPED],
    ["rotate-key", "a", "--key-file", TYPED, "--admin-token-file", __file__],
    ["rotate-key", "a", "--admin-token-file", TYPED],
    ["incidents", "ack", "1", "--admin-token-file", TYPED],
    ["rotate-secret-key", "--data-dir", TYPED],
    ["make-secrets", f"{TYPED}/x"],
    ["services", "--url", TYPED],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_key_typed_where_something_else_belongs_is_not_repeated(
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "services.yaml").write_text("services: []")
    try:
        code = main(command)
    except SystemExit as ended:
        code = int(ended.code or 0)

    said = capsys.readouterr()
    assert code in (1, 2)
    assert "internal error" not in said.err
    assert (said.out + said.err).strip()
    assert TYPED not in said.out + said.err
    assert not exists(tmp_path / TYPED)


def test_a_key_in_place_of_the_file_of_a_key_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "services.yaml"
    tls = f"health_check: {{tls: {{ca_file: {TYPED}, cert_file: {TYPED}, key_file: {TYPED}}}}}"
    own = f"base_url: 'https://x.example', api_key_file: {TYPED}, api_key_next_file: {TYPED}"
    file.write_text(
        f"services: [{{id: a, {own}}}, {{id: b, base_url: 'https://y.example', {tls}}}]"
    )
    main(["check-config", str(file)])
    file.write_text(f"services: [{{id: a, {own}}}]")
    main(["probe", "a", "--config", str(file)])

    said = capsys.readouterr()
    assert "there is no such file" in said.err
    assert "key file cannot be read" in said.err
    assert TYPED not in said.out + said.err

"""What `check-config` says of files of keys, and of files without content: one mistake per file."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import Configuration, key_files, make_target, read_files
from exporter.secret import SecretError
from exporter.settings import SettingsError

SHOP = "services:\n- id: shop\n  base_url: https://api.example.com\n"
GOOD = {
    "good": "a-key-of-somebody\n",
    "empty": "",
    "lines": "two\nlines\n",
}


def checked(folder: Path, text: str) -> Configuration:
    for name, content in GOOD.items():
        (folder / name).write_text(content)
    path = folder / "services.yaml"
    path.write_text(text.replace("FOLDER", str(folder)))
    return read_files([path], {}, key_files=True)


def mistakes(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(SettingsError) as caught:
        checked(folder, text)
    return [(one.line, one.where, one.what) for one in caught.value.problems]


def warnings(found: Configuration) -> list[tuple[int, str, str]]:
    return [(one.line, one.where, one.what) for one in found.warnings]


@pytest.mark.parametrize(
    ("text", "line", "where", "why"),
    [
        (SHOP + "  api_key_file: FOLDER/none", 4, "services[0].api_key_file", "No such file"),
        (SHOP + "  api_key_file: FOLDER", 4, "services[0].api_key_file", "Is a directory"),
        (SHOP + "  api_key_file: FOLDER/empty", 4, "services[0].api_key_file", "is empty"),
        (SHOP + "  api_key_file: FOLDER/lines", 4, "services[0].api_key_file", "one line"),
        (
            SHOP + "  api_key: k0123456789\n  api_key_next_file: FOLDER/none",
            5,
            "services[0].api_key_next_file",
            "No such file",
        ),
        (
            "defaults: {api_key_file: FOLDER/none}\n" + SHOP,
            1,
            "defaults.api_key_file",
            "No such file",
        ),
        (
            SHOP + "notify:\n- slack: {url_file: FOLDER/none}",
            5,
            "notify[0].slack.url_file",
            "No such file",
        ),
        (
            SHOP + "notify:\n- pagerduty: {routing_key_file: FOLDER/empty}",
            5,
            "notify[0].pagerduty.routing_key_file",
            "is empty",
        ),
    ],
)
def test_a_file_without_a_key_is_one_mistake_with_its_line_and_a_next_step(
    tmp_path: Path, text: str, line: int, where: str, why: str
) -> None:
    ((found_line, found_where, what),) = mistakes(tmp_path, text)

    assert (found_line, found_where) == (line, where)
    assert why in what
    assert what.endswith("; write the key to it, or name another")


def test_files_with_keys_are_no_mistake(tmp_path: Path) -> None:
    text = SHOP + "  api_key_file: FOLDER/good\nnotify:\n- slack: {url_file: FOLDER/good}"

    assert checked(tmp_path, text).warnings == ()


def test_a_service_that_is_switched_off_may_wait_for_its_key(tmp_path: Path) -> None:
    text = SHOP + "  enabled: false\n  api_key_file: FOLDER/none"

    assert checked(tmp_path, text).warnings == ()


def test_to_serve_a_missing_key_is_a_state_and_no_mistake(tmp_path: Path) -> None:
    """The file may be written later; the service shows `service_key_configured 0` until then."""
    path = tmp_path / "services.yaml"
    path.write_text(SHOP + f"  api_key_file: {tmp_path}/none")

    (declared,) = read_files([path], {}).services

    assert make_target(declared, {}).key_configured is False


def test_a_file_that_only_others_may_read_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read every file, so the refusal itself is made here."""

    def refused(path: Path) -> bytes:
        raise SecretError("the key file cannot be read (Permission denied)")

    monkeypatch.setattr(key_files, "read_key_file", refused)

    found = checked(tmp_path, SHOP + "  api_key_file: FOLDER/theirs")

    assert warnings(found) == [
        (
            4,
            "services[0].api_key_file",
            "the key file cannot be read (Permission denied): check as the user that serves",
        )
    ]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}"])
def test_a_file_without_content_is_a_warning(tmp_path: Path, text: str) -> None:
    ((_, where, what),) = warnings(checked(tmp_path, text))

    assert (where, what) == ("(top)", "is empty: it declares nothing")


@pytest.mark.parametrize(
    "text", ["services: []", "canaries: [{url: 'https://example.com'}]", "defaults: {team: a}"]
)
def test_files_without_a_service_are_a_warning(tmp_path: Path, text: str) -> None:
    what = "no service is declared, so nothing is probed until the API adds one"

    assert warnings(checked(tmp_path, text)) == [(1, "services", what)]


def test_an_empty_file_beside_others_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# later\n")
    (tmp_path / "b.yaml").write_text(SHOP)

    (warning,) = read_files([tmp_path], {}).warnings

    assert (warning.source, warning.what) == (
        str(tmp_path / "a.yaml"),
        "is empty: it declares nothing",
    )

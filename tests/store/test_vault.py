"""Keys at rest: bound to their service, readable with the secret key only, gone when wiped."""

from __future__ import annotations

import base64
import logging
import sqlite3
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.log import Redaction, _Formatter
from exporter.secret import Secret
from exporter.store import Store, StoredKey, Vault, VaultError, VaultMissingError
from exporter.store.vault import VARIABLE
from tests.fakes import KEY, FakeClock

NOW = 1_800_000_000.0
DAY = 86_400.0
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
SECRET, OTHER, THIRD = Secret(KEY), Secret("sk-other-0123456789"), Secret("sk-third-0123456789")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(place: Path, clock: FakeClock) -> Any:
    opened = Store.open(place, clock, Vault(OLD))
    yield opened
    opened.close()


def content(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


def tokens(directory: Path) -> list[bytes]:
    db = sqlite3.connect(directory / "registry.db")
    rows = db.execute("SELECT token FROM keys UNION ALL SELECT token FROM former_keys").fetchall()
    db.close()
    return [row[0] for row in rows]


@given(service=st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True), key=st.text())
@settings(max_examples=50)
def test_what_is_encrypted_can_be_read_again(service: str, key: str) -> None:
    vault = Vault(f"{NEW}\n{OLD}\n")

    assert vault.decrypt(service, vault.encrypt(service, Secret(key))) == Secret(key)
    assert vault.decrypt(service, Vault(OLD).encrypt(service, Secret(key))) == Secret(key)


def test_only_the_first_secret_key_encrypts() -> None:
    token = Vault(f"{NEW}\n{OLD}").encrypt("a", SECRET)

    assert Vault(NEW).decrypt("a", token) == SECRET
    with pytest.raises(VaultError, match="the stored key of a cannot be read"):
        Vault(OLD).decrypt("a", token)


@pytest.mark.parametrize(
    "text",
    ["", " \n\n", "short", KEY, f"{OLD}\n{OLD[:-1]}", OLD.replace(OLD[0], "!", 1), "é" * 44],
    ids=["empty", "blank", "short", "another key", "cut", "no base64", "no ASCII"],
)
def test_a_bad_secret_key_file_is_told_without_its_content(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text)

    with pytest.raises(VaultError, match=r"make-secrets DIR") as caught:
        Vault.from_file(path)

    shown = "".join(traceback.format_exception(caught.value))
    assert not any(line in shown for line in text.split() if len(line) > 8)


@pytest.mark.parametrize(
    "path", ["/nowhere/secret", OLD, "a\0b", "x" * 5000], ids=["missing", "a key", "NUL", "long"]
)
def test_a_missing_secret_key_file_is_told_without_its_path(path: str) -> None:
    with pytest.raises(VaultError, match=VARIABLE) as caught:
        Vault.from_environment({VARIABLE: path})

    assert path not in str(caught.value)


def test_the_environment_names_the_file_or_there_is_no_vault(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"\n{NEW}\r\n{OLD}\n")

    vault = Vault.from_environment({VARIABLE: str(tmp_path / "secret")})

    assert vault is not None
    assert vault.decrypt("a", Vault(OLD).encrypt("a", SECRET)) == SECRET
    assert Vault.from_environment({}) is None


def test_a_huge_secret_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{OLD}\n" * 2000)

    with pytest.raises(VaultError, match="holds no keys"):
        Vault.from_file(tmp_path / "secret")


def test_a_key_outlives_a_restart(store: Store, place: Path, clock: FakeClock) -> None:
    store.put_key("a", SECRET, at=NOW)
    store.put_key("a", OTHER, at=NOW + 1)
    store.put_key("b", SECRET, at=NOW + 2)
    store.close()

    again = Store.open(place, clock, Vault(OLD))

    assert again.key("a") == StoredKey(
        secret=OTHER, rotated_at=NOW + 1, rollback_until=NOW + 1 + DAY
    )
    assert again.keys() == {
        "a": again.key("a"),
        "b": StoredKey(secret=SECRET, rotated_at=NOW + 2),
    }
    assert again.key("c") is None
    again.close()


def test_a_rollback_brings_the_former_key_back_once(store: Store) -> None:
    store.put_key("a", SECRET, at=NOW)
    store.put_key("a", OTHER, at=NOW)

    first, second = store.rollback("a"), store.rollback("a")

    assert (first, second) == (SECRET, None)
    assert store.key("a") == StoredKey(secret=SECRET, rotated_at=NOW)


def test_the_same_key_again_does_not_push_out_the_former(store: Store) -> None:
    for secret in (SECRET, OTHER, OTHER):
        store.put_key("a", secret, at=NOW)

    assert store.rollback("a") == SECRET


async def test_a_former_key_is_wiped_after_a_day(
    store: Store, place: Path, clock: FakeClock
) -> None:
    store.put_key("a", SECRET, at=NOW)
    before = tokens(place)
    store.put_key("a", OTHER, at=NOW)
    await clock.advance(DAY)

    shown = store.key("a")
    store.save_states({})

    assert shown == store.key("a") == StoredKey(secret=OTHER, rotated_at=NOW)
    assert before[0] not in content(place)
    assert store.rollback("a") is None


def test_a_deleted_key_leaves_no_bytes(store: Store, place: Path) -> None:
    for secret in (SECRET, OTHER):
        store.put_key("a", secret, at=NOW)
    written = tokens(place)
    present = [token in content(place) for token in written]

    store.delete_key("a")

    assert present == [True, True]
    assert not any(token in content(place) for token in written)
    assert store.keys() == {}


def test_after_a_rotation_the_old_secret_key_reads_nothing(
    store: Store, place: Path, clock: FakeClock
) -> None:
    for number in range(200):
        store.put_key(f"s{number}", SECRET, at=NOW)
    store.put_key("s0", OTHER, at=NOW)
    written = tokens(place)
    store.close()
    (place / "registry.db.v1").touch()

    both = Store.open(place, clock, Vault(f"{NEW}\n{OLD}"))
    count = both.rotate()
    both.close()
    only_new = Store.open(place, clock, Vault(NEW))

    assert count == 201
    assert only_new.rollback("s0") == only_new.keys()["s7"].secret == SECRET
    only_new.close()
    everything = content(place)
    assert not any(token in everything for token in written)
    assert not list(place.glob("*.v1"))
    only_old = Store.open(place, clock, Vault(OLD))
    assert only_old.keys() == {}
    only_old.close()


def test_a_rotation_that_cannot_read_a_row_changes_none(
    store: Store, place: Path, clock: FakeClock
) -> None:
    store.put_key("a", SECRET, at=NOW)
    store.put_key("b", SECRET, at=NOW)
    store.close()
    half = Store.open(place, clock, Vault(NEW))
    half.put_key("b", OTHER, at=NOW)
    before = tokens(place)

    with pytest.raises(VaultError, match="the stored key of a"):
        half.rotate()

    assert tokens(place) == before
    half.close()


def test_a_swapped_row_is_refused(
    store: Store, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.put_key("a", SECRET, at=NOW)
    store.put_key("b", OTHER, at=NOW)
    store.put_key("c", THIRD, at=NOW)
    with sqlite3.connect(place / "registry.db") as db:
        db.execute("UPDATE keys SET token = (SELECT token FROM keys k WHERE k.service = 'b')")
    db.close()

    with pytest.raises(VaultError, match="the stored key of a is another service's"):
        store.key("a")

    assert store.keys().keys() == {"b"}
    assert caplog.messages == ["a stored row is unreadable"] * 2


@pytest.mark.parametrize("plain", [b"{}", b"[]", b'["a", 1]', b'["a"]', b"no JSON", b"\xff"])
def test_a_token_of_something_else_is_refused(plain: bytes) -> None:
    with pytest.raises(VaultError, match="the stored key of a"):
        Vault(OLD).decrypt("a", Fernet(OLD).encrypt(plain))


def test_a_new_key_is_the_way_out_of_a_lost_secret_key(
    store: Store, place: Path, clock: FakeClock
) -> None:
    store.put_key("a", SECRET, at=NOW)
    store.close()

    other = Store.open(place, clock, Vault(NEW))
    other.put_key("a", OTHER, at=NOW)

    assert other.keys()["a"].secret == OTHER
    with pytest.raises(VaultError, match="the stored key of a"):
        other.rollback("a")
    assert other.keys()["a"].secret == OTHER
    other.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.put_key("a", SECRET, at=NOW),
        lambda store: store.key("a"),
        lambda store: store.keys(),
        lambda store: store.rollback("a"),
        lambda store: store.delete_key("a"),
        lambda store: store.rotate(),
    ],
)
def test_without_a_secret_key_every_question_of_keys_says_how_to_make_one(
    place: Path, clock: FakeClock, ask: Callable[[Store], object]
) -> None:
    store = Store.open(place, clock, None)

    with pytest.raises(VaultMissingError, match=rf"{VARIABLE}.*make-secrets DIR"):
        ask(store)

    store.put_service("a", {})
    store.close()


def test_a_fingerprint_is_stable_here_and_different_elsewhere(
    store: Store, place: Path, clock: FakeClock, tmp_path: Path
) -> None:
    first = store.fingerprint(SECRET)
    store.close()
    again, other = (Store.open(at, clock, None) for at in (place, tmp_path / "other"))

    assert len(first) == 8
    assert again.fingerprint(SECRET) == first != again.fingerprint(OTHER)
    assert other.fingerprint(SECRET) != first
    again.close()
    other.close()


def test_no_key_is_in_any_file_repr_log_or_exception(
    store: Store, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store.put_service("a", {"id": "a"})
    store.put_key("a", SECRET, at=NOW)
    store.put_key("a", OTHER, at=NOW)
    store.audit(NOW, "admin", "rotate", "a", store.fingerprint(SECRET))
    store.rollback("a")
    shown = [repr(store.key("a")), repr(store.keys()), repr(Vault(OLD)), repr(store)]
    with sqlite3.connect(place / "registry.db") as db:
        db.execute("UPDATE keys SET service = 'b'")
    db.close()
    store.keys()
    with pytest.raises(VaultError) as caught:
        store.key("b")
    shown += traceback.format_exception(caught.value)
    shown += [_Formatter("json", Redaction()).format(record) for record in caplog.records]
    running = content(place)

    store.close()

    sought = [SECRET.reveal().encode(), OTHER.reveal().encode()]
    sought += [base64.b64encode(b" " * pad + key)[4:-4] for key in sought[:2] for pad in range(3)]
    everything = running + content(place) + "".join(shown).encode()
    assert caplog.records
    assert not [one for one in [*sought, OLD.encode()] if one in everything]

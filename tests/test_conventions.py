"""The rules of the house, as far as a machine can check them."""

from __future__ import annotations

import ast
import doctest
import functools
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.api import ROUTES
from exporter.api.guard import Access
from tests.reference import (
    DEMO,
    PARTS,
    SLACK_UPDATES,
    demo_alertmanager,
    slack_updates,
    written,
)

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "exporter").rglob("*.py"))


@functools.cache
def trees() -> dict[Path, ast.Module]:
    """Return every module, parsed; when it is asked for, as each worker of a run collects this."""
    return {path: ast.parse(path.read_text()) for path in SOURCES}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(tree: ast.AST, name: str) -> list[int]:
    """Return the lines on which something called *name* is used as an attribute."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == name
    ]


def imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_says_what_it_is_for_and_stays_a_room(path: Path) -> None:
    tree = trees()[path]

    assert ast.get_docstring(tree), "a module opens with what the room is for"
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    assert not re.search(r"# *fmt: *(off|skip)", text), "ruff lays out"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 42, f"{node.name} is too long"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_left_for_later(path: Path) -> None:
    assert not re.search(r"TODO|FIXME|XXX|NotImplementedError", path.read_text())


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("time", {"exporter/clock.py"}),
        (
            "os",
            {
                "exporter/secret.py",  # environment, umask
                "exporter/files.py",  # opens without waiting
                "exporter/cli/terminal.py",  # reads keys as they are pressed
                "exporter/serving/stopping.py",  # _exit
                "exporter/serving/supervisor.py",  # getpid
            },
        ),
        ("yaml", {"exporter/settings/document.py"}),
        ("jsonschema", {"exporter/settings/check.py"}),
        ("jinja2", {"exporter/page/"}),
        ("pycurl", {"exporter/probers/"}),
        ("httpx2", {"exporter/sessions/transport.py"}),
        ("httpx", {"exporter/sessions/transport.py"}),
        ("sqlite3", {"exporter/store/"}),
        ("aiosmtplib", {"exporter/notifying/mailbox.py"}),
        ("cryptography", {"exporter/store/"}),
        ("prometheus_client", {"exporter/metrics/own.py", "exporter/metrics/traffic.py"}),
    ],
)
def test_a_library_is_known_in_one_room_only(module: str, allowed: set[str]) -> None:
    users = {
        name_of(path)
        for path, tree in trees().items()
        if any(i == module or i.startswith(module + ".") for i in imported(tree))
    }

    assert all(any(user.startswith(room) for room in allowed) for user in users), users
    assert all(any(user.startswith(room) for user in users) for room in allowed), users


def test_a_secret_is_revealed_only_where_requests_are_made() -> None:
    users = {name_of(path) for path, tree in trees().items() if calls(tree, "reveal")}

    assert users == {
        "exporter/api/guard.py",  # compares the admin token
        "exporter/serving/webauth.py",  # compares passwords
        "exporter/cli/addresses.py",  # an address from a file
        "exporter/cli/tokens.py",  # the length of a token
        "exporter/cli/stack.py",  # writes webhook or mail password to Alertmanager's configuration
        "exporter/cli/asking.py",  # sends the admin token to the exporter
        "exporter/cli/managing.py",  # sends the key of a new service to the exporter
        "exporter/cli/remote.py",  # sends key and admin token to the exporter
        "exporter/library/registry.py",  # get_service_config(mask=False), for the caller itself
        "exporter/registry/overlay.py",  # what is kept like a key
        "exporter/config/targets.py",  # builds the credentials
        "exporter/settings/plain.py",  # what a program gives, as it is in a file
        "exporter/config/requests.py",  # a canary's proxy
        "exporter/incidents/peers.py",  # the password of an Alertmanager
        "exporter/log.py",  # knows what to strike out
        "exporter/notifying/mailbox.py",  # the mail server's password
        "exporter/notifying/payloads.py",  # PagerDuty's routing key
        "exporter/notifying/web.py",  # addresses and headers of messages
        "exporter/multitarget/modules.py",  # the same for /probe
        "exporter/probers/kinds/http.py",  # adds a query parameter
        "exporter/probers/redirects.py",  # adds the headers of the service's own origin
        "exporter/probers/echoes.py",  # looks for it in what the peer says
        "exporter/sessions/exchange.py",  # adds it on the wire
        "exporter/store/vault.py",  # encrypts it
        "exporter/serving/web_config.py",  # hands a key to OpenSSL
    }


CONSTRUCTED = {
    "Aging",
    "Canaries",
    "CurlTransport",
    "Escalations",
    "Exposition",
    "History",
    "IncidentLog",
    "IncidentMetrics",
    "Live",
    "Loader",
    "Management",
    "Media",
    "Notifier",
    "OwnMetrics",
    "Peers",
    "Persistence",
    "Polling",
    "Probers",
    "Reconciliation",
    "Recording",
    "Registry",
    "Results",
    "Retention",
    "Scheduler",
    "Sessions",
    "SideChecks",
    "StatusPages",
    "WebAuth",
}


def test_only_app_and_cli_build_the_objects_of_a_room() -> None:
    builders = {
        name_of(path)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in CONSTRUCTED
    }

    assert builders == {
        "exporter/app/application.py",
        "exporter/app/parts.py",
        "exporter/cli/notifying.py",
        "exporter/cli/model_probing.py",
        "exporter/cli/probing.py",
    }


CHANGED = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove"} | {
    "appendleft",
    "setdefault",
    "update",
}


def test_no_module_keeps_a_state() -> None:
    """Several registries are in one process: what belongs to one is in an object of it."""
    found = set()
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                found.add((name_of(path), *node.names))
        owned = {
            target.id
            for node in tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        found |= {(name_of(path), name) for name in owned & set(_changed(tree))}

    assert found == {
        # Tasks of any loop until they are done, so that none is collected before.
        ("exporter/sessions/calls.py", "_retiring"),
    }


def _changed(tree: ast.Module) -> Iterator[str]:
    """Yield the names on which something is changed inside of functions."""
    inside = (
        node
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    )
    for node in inside:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
                if method in CHANGED:
                    yield name
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.name == "__init__.py"], ids=name_of
)
def test_a_face_holds_nothing_of_its_own(path: Path) -> None:
    own = [
        node
        for node in trees()[path].body
        if not isinstance(node, (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.If))
    ]
    if path.parent.name == "exporter":  # loads the library when it is asked for
        own = [node for node in own if getattr(node, "name", "") != "__getattr__"]

    assert own == []


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if ">>> " in path.read_text()], ids=name_of
)
def test_the_examples_of_the_docstrings_are_true(path: Path) -> None:
    name = name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    result = doctest.testmod(importlib.import_module(name))

    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_what_a_docstring_calls_a_parameter_is_one(path: Path) -> None:
    """`*name*` is a parameter, or a field of the class: also after it was renamed."""
    wrong = []
    for node in ast.walk(trees()[path]):
        if isinstance(node, ast.ClassDef):
            known = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            known |= {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            known = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        else:
            continue
        text = (ast.get_docstring(node) or "").partition(">>>")[0]
        named = set(re.findall(r"(?<![\w*`])\*([a-z_]+)\*(?![\w*])", text))
        wrong += [f"{node.name}: {name}" for name in sorted(named - known)]

    assert wrong == []


def test_the_map_answers_with_what_exists() -> None:
    text = (ROOT / "exporter" / "README.md").read_text()
    questions = text.partition("## Where is it")[2].partition("## Rules")[0]
    rules = text.partition("## Rules")[2].partition("## Adding")[0]
    answers = re.findall(r"`([a-z_/]+\.py)` `(\w+)`", questions)
    tests = re.findall(r"`(test_\w+)`", rules)
    held = "".join((ROOT / "tests" / f"test_{n}.py").read_text() for n in ("conventions", "sizes"))

    assert len(answers) > 25
    for path, name in answers:
        source = (ROOT / "exporter" / path).read_text()
        assert re.search(rf"(?:def|class) {name}\b|^{name}\b", source, re.MULTILINE), (path, name)
    assert all(f"def {name}(" in held for name in tests)


def test_no_row_is_twice_on_the_map() -> None:
    text = (ROOT / "exporter" / "README.md").read_text()
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("| ")]
    rows = [[row.split("|")[1].strip() for row in table] for table in tables]

    assert len(tables) == len(re.findall(r"^\|---", text, re.MULTILINE)) >= 4
    assert [row for first in rows for row, times in Counter(first).items() if times > 1] == []


def test_every_room_is_on_the_map_and_the_map_shows_no_ghost() -> None:
    text = (ROOT / "exporter" / "README.md").read_text()
    table = text.partition("<!-- generated: rooms -->")[2].partition("<!-- end -->")[0]
    named = {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([a-z_]+(?:\.py|/))`", row.split("|")[1])
    }
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in (ROOT / "exporter").iterdir()
        if not path.name.startswith("__") and (path.is_dir() or path.suffix == ".py")
    }

    assert named == there


@pytest.mark.parametrize("path", sorted({where for where, _ in PARTS}))
def test_generated_documentation_is_fresh(path: str) -> None:
    text = (ROOT / path).read_text()

    assert written(path, text) == text, "run make reference"


def test_the_routes_that_are_made_of_the_shipped_ones_are_fresh() -> None:
    assert DEMO.read_text() == demo_alertmanager(), "run make reference"
    assert SLACK_UPDATES.read_text() == slack_updates(), "run make reference"


def test_only_reading_is_open_without_the_admin_token() -> None:
    methods = {route.method for route in ROUTES if route.access is Access.OPEN}

    assert methods == {"GET"}


def test_a_shipped_text_names_no_place_of_its_making() -> None:
    for path in _texts():
        text = path.read_text()
        assert not re.search(r"/(?:root|home|work|tmp)/\w", text), name_of(path)


def _texts() -> Iterator[Path]:
    for folder in ("exporter", "config", ".github", "."):
        for path in (ROOT / folder).iterdir():
            if path.suffix in {".md", ".yaml", ".toml", ".py", ".json"} and path.is_file():
                yield path

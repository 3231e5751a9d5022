"""docker-compose.yml and the manifests: what can be known of them without an engine."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from exporter.cli import main
from exporter.cli.arguments import make_parser
from exporter.config import read_files
from exporter.config.declarations import Monitoring
from tests.documents import yaml_of
from tests.programs import free_port, program, running

ROOT = Path(__file__).parent.parent
BASE, PRODUCTION = ROOT / "docker-compose.yml", ROOT / "config/production/docker-compose.yml"
MANIFESTS = list(yaml.safe_load_all((ROOT / "config/kubernetes/registry.yaml").read_text()))


def composed(*files: Path, **variables: str) -> dict[str, Any]:
    """Return what Docker would be given, as docker-compose resolves it."""
    command = [program("docker-compose"), "--profile", "demo"]
    for file in files or (BASE,):
        command += ["-f", str(file)]
    done = subprocess.run(
        [*command, "config"],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
    )
    assert done.returncode == 0, done.stderr
    return dict(yaml_of(done.stdout))


STACK = composed()["services"]
OURS = [name for name, one in STACK.items() if one["image"].startswith("tekup/")]


def test_the_stack_has_its_parts() -> None:
    assert set(STACK) == {
        "secrets",
        "exporter",
        "prometheus",
        "alertmanager",
        "grafana",
        "demo",
        "mail",
    }
    assert {name for name, one in STACK.items() if one.get("profiles")} == {"demo", "mail"}


@pytest.mark.parametrize("name", STACK)
def test_every_container_is_pinned_and_hardened(name: str) -> None:
    one = STACK[name]

    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", one["image"])
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one.get("user", "") != "root"
    assert "privileged" not in one


def test_only_grafana_and_the_exporter_are_published_and_on_this_machine_only() -> None:
    published = {name: one["ports"] for name, one in STACK.items() if one.get("ports")}
    everyday = {name for name in published if not STACK[name].get("profiles")}

    assert everyday == {"grafana", "exporter"}
    assert all(str(port).startswith("127.0.0.1:") for ports in published.values() for port in ports)


@pytest.mark.parametrize("name", ["exporter", "prometheus", "alertmanager", "grafana"])
def test_every_lasting_container_is_checked_and_keeps_its_data(name: str) -> None:
    one = STACK[name]
    image = (ROOT / "exporter/Dockerfile").read_text()

    assert one["restart"] == "unless-stopped"
    assert "healthcheck" in one or (name in OURS and "HEALTHCHECK" in image)
    assert any(str(volume).startswith(f"{name}-data:") for volume in one["volumes"])


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("files", [(BASE,), (BASE, PRODUCTION)])
def test_our_containers_are_given_arguments_that_exist(name: str, files: tuple[Path, ...]) -> None:
    arguments = composed(*files)["services"][name]["command"]

    make_parser("0").parse_args(arguments)


def test_the_page_for_outsiders_is_one_comment_sign_away() -> None:
    opened, count = re.subn(r"(?m)^( +)# (- --public-page)", r"\1\2", BASE.read_text())
    arguments = yaml_of(opened)["services"]["exporter"]["command"]

    assert count == 1
    assert make_parser("0").parse_args(arguments).public_page
    assert not make_parser("0").parse_args(STACK["exporter"]["command"]).public_page


@pytest.mark.parametrize(
    ("name", "binary"),
    [
        ("prometheus", ("prometheus",)),
        ("alertmanager", ("alertmanager", "prometheus-alertmanager")),
    ],
)
@pytest.mark.parametrize("files", [(BASE,), (BASE, PRODUCTION)])
def test_the_flags_of_the_others_exist(
    name: str, binary: tuple[str, ...], files: tuple[Path, ...]
) -> None:
    known = subprocess.run(
        [program(*binary), "--help"], capture_output=True, text=True, check=False
    )

    for argument in composed(*files)["services"][name]["command"]:
        flag = argument.partition("=")[0]
        assert re.search(rf"{re.escape(flag)}\b", known.stdout + known.stderr), flag


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "binary", "asked"),
    [
        ("prometheus", ("prometheus",), "/api/v1/status/runtimeinfo"),
        ("alertmanager", ("alertmanager", "prometheus-alertmanager"), "/api/v2/status"),
    ],
)
@pytest.mark.parametrize("files", [(BASE,), (BASE, PRODUCTION)])
def test_the_others_answer_where_the_stack_asks_them(
    name: str, binary: tuple[str, ...], asked: str, files: tuple[Path, ...], tmp_path: Path
) -> None:
    one = composed(*files)["services"][name]
    (tmp_path / "empty.yml").write_text("{}")
    (tmp_path / "alertmanager.yml").write_text("{route: {receiver: a}, receivers: [{name: a}]}")
    config = tmp_path / ("empty.yml" if name == "prometheus" else "alertmanager.yml")
    base = f"http://127.0.0.1:{free_port()}"
    own = {"--config.file": config, "--storage.tsdb.path": tmp_path, "--storage.path": tmp_path}
    flags = [
        f"{flag}={own.get(flag, value)}"
        for flag, _, value in (argument.partition("=") for argument in one["command"])
    ]
    (checked,) = (word for word in one["healthcheck"]["test"] if word.startswith("http"))

    command = [program(*binary), *flags, f"--web.listen-address={base.partition('//')[2]}"]
    with running(command, None, base):
        for path in ("/" + checked.split("/", 3)[3], asked):
            assert urllib.request.urlopen(base + path).status == 200, path


@pytest.mark.parametrize("files", [(BASE,), (BASE, PRODUCTION)])
def test_every_file_that_is_mounted_is_there(files: tuple[Path, ...]) -> None:
    for one in composed(*files)["services"].values():
        for volume in one.get("volumes", ()):
            source = str(volume).partition(":")[0]
            if source.startswith("/") and not source.endswith("certificates"):
                assert Path(source).exists(), source


def test_one_variable_sets_the_retention_of_prometheus_and_of_the_registry() -> None:
    days = "METRICS_RETENTION_DAYS"
    for variables, wanted in (({}, Monitoring().metrics_retention_days), ({days: "400"}, 400)):
        stack = composed(**variables)["services"]
        given = {days: stack["exporter"]["environment"][days]}
        read = read_files([ROOT / "config/services.yaml"], given).monitoring

        assert f"--storage.tsdb.retention.time={wanted}d" in stack["prometheus"]["command"]
        assert read.metrics_retention_days == wanted


def test_every_variable_of_the_example_reaches_the_exporter() -> None:
    wanted = set(re.findall(r"\$\{([A-Z_]+)\}", (ROOT / "config/services.yaml").read_text()))
    wanted |= {"TWILIO_ACCOUNT_SID", "PLAUSIBLE_SITE_ID"}

    assert wanted - set(STACK["exporter"]["environment"]) == {"CUSTOM_KEY"}


@pytest.mark.parametrize("name", ["services.yaml", "demo.yaml"])
def test_what_the_exporter_is_started_with_is_good(name: str) -> None:
    assert main(["check-config", str(ROOT / "config" / name)]) == 0


def test_the_secrets_that_are_asked_for_are_those_that_are_made(tmp_path: Path) -> None:
    assert main(["make-secrets", str(tmp_path / "s"), "--group-readable"]) == 0
    made = {path.name: path for path in (tmp_path / "s").iterdir()}
    texts = [
        path.read_text()
        for path in (
            BASE,
            PRODUCTION,
            ROOT / "alertmanager/alertmanager.yml",
            ROOT / "alertmanager/alertmanager.slack-updates.yml",
            ROOT / "alertmanager/demo.yml",
            ROOT / "grafana/provisioning/grafana.env",
            ROOT / "config/kubernetes/registry.yaml",
        )
    ]
    asked = set(re.findall(r"(?:/run|/alertmanager|[ =])/?secrets/([a-z_]+)\b", "\n".join(texts)))

    assert asked == set(made)
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o640}


def test_secrets_that_are_there_are_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"
    main(["make-secrets", str(folder)])
    before = {path.name: path.read_text() for path in folder.iterdir()}
    said = capsys.readouterr().out
    (folder / "admin_token").write_text("my-own-token-of-some-length")
    (folder / "secret_key").unlink()

    main(["make-secrets", str(folder)])

    after = {path.name: path.read_text() for path in folder.iterdir()}
    assert after["admin_token"] == "my-own-token-of-some-length"
    assert after["exporter_token"] == before["exporter_token"]
    assert after["secret_key"] != before["secret_key"]
    assert {(folder / name).stat().st_mode & 0o777 for name in after} == {0o600}
    assert not [value for value in before.values() if len(value) > 20 and value in said]


def test_the_production_example_serves_over_tls_under_one_name() -> None:
    stack = composed(BASE, PRODUCTION)["services"]
    urls = [stack["grafana"]["environment"]["GF_SERVER_ROOT_URL"]] + [
        flag.partition("=")[2]
        for name in ("prometheus", "alertmanager")
        for flag in stack[name]["command"]
        if flag.startswith("--web.external-url")
    ]

    assert len(urls) == 3
    assert all(url.startswith("https://registry.example.com/") for url in urls)
    assert stack["grafana"]["environment"]["GF_SERVER_PROTOCOL"] == "https"


def test_remote_write_is_good_once_its_comment_signs_are_taken_off(tmp_path: Path) -> None:
    text = (ROOT / "prometheus/prometheus.yml").read_text()
    before, _, after = text.partition("# remote_write:")
    assert after
    opened = before + "remote_write:" + re.sub(r"(?m)^# ?", "", after)
    opened = opened.replace("/etc/prometheus/secrets/remote_write_token", str(tmp_path / "token"))
    (tmp_path / "token").write_text("x")
    (tmp_path / "prometheus.yml").write_text(opened.replace("rules/*.yml", f"{tmp_path}/*.rules"))

    subprocess.run(
        [program("promtool"), "check", "config", tmp_path / "prometheus.yml"],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda m: f"{m['kind']}/{m['metadata']['name']}"
)
@pytest.mark.parametrize("version", ["1.28", "1.34"])
def test_the_manifests_are_kubernetes_own_kind(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_shards_of_the_manifest_are_as_many_as_its_pods() -> None:
    stateful = MANIFESTS[0]["spec"]
    (container,) = stateful["template"]["spec"]["containers"]
    arguments = [text.replace("$(SHARD_INDEX)", "1") for text in container["args"]]
    parsed = make_parser("0").parse_args(arguments)

    assert parsed.shard_count == stateful["replicas"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert stateful["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    assert {container[name]["httpGet"]["path"] for name in ("readinessProbe", "livenessProbe")} == {
        "/-/ready",
        "/-/healthy",
    }


def test_the_image_is_not_root_and_is_made_of_what_the_package_needs() -> None:
    text = (ROOT / "exporter/Dockerfile").read_text()
    user = re.search(r"^USER (\d+):(\d+)$", text, re.M)

    assert user
    assert "0" not in user.groups()
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for name in source.split():
            assert (ROOT / name).exists(), name
    assert not re.search(r":latest|\bcurl\b|ADD ", text)

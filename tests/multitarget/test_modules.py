"""The modules of /probe: what is read, what is refused, what a target becomes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from exporter.multitarget import Check, CheckError, Module, Modules, make_check, read_modules
from exporter.settings import SettingsError, secrets_in

ROOT = Path(__file__).parents[2]
SECRET = "sk-sentinel-module-0123456789"


def module_of(http: str = "{}", timeout: str = "5s") -> Module:
    """Return the module with these settings, written in YAML's flow style, for api.example."""
    http = http.replace("{", "{allowed_targets: ['http://api.example'], ", 1)
    text = f"modules:\n  m: {{prober: http, timeout: {timeout}, http: {http}}}\n"
    return read_modules(text, "modules.yaml").modules["m"]


def check_of(http: str = "{}", target: str = "http://api.example/", **more: Any) -> Check:
    usual: dict[str, Any] = {"timeout": 5.0, "user_agent": "agent"}
    module = Module(prober="http") if http == "{}" else module_of(http)
    return make_check(module, target, **(usual | more))


def mistakes(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_modules(text, "modules.yaml")
    return [str(problem) for problem in caught.value.problems]


def headers_of(check: Check) -> dict[str, str]:
    return {name: value.reveal() for name, value in check.endpoint.credentials}


def test_the_shipped_file_has_the_two_modules_that_everybody_uses() -> None:
    text = (ROOT / "config" / "modules.yaml").read_text()

    modules = read_modules(text, "modules.yaml").modules

    assert set(modules) == {"http_2xx", "http_post_2xx"}
    assert modules["http_post_2xx"].http.method == "POST"


def test_the_commented_examples_are_good_too() -> None:
    lines = (ROOT / "config" / "modules.yaml").read_text().splitlines()
    at = lines.index("modules:")
    text = "\n".join(
        line.replace("  # ", "  ", 1) if ":" in line and line.startswith("  # ") else line
        for line in lines[at:]
        if not line.startswith(("  # HTTPS", "  # An", "  # target", "  # Alive", "  # Some"))
    )
    text = text.replace("/run/secrets/api", __file__).replace("/etc/ssl/company.pem", __file__)

    modules = read_modules(text, "modules.yaml").modules

    assert len(modules) == 6


def test_defaults_are_those_of_blackbox() -> None:
    check = check_of()

    assert check.ip_version == 6
    assert check.ip_fallback
    assert check.http2
    assert check.endpoint.follow_redirects == 10
    assert not check.endpoint.allow_private


@pytest.mark.parametrize("kind", ["tcp", "icmp", "dns", "grpc", "unix", "websocket"])
def test_a_module_of_another_prober_is_left_out_and_never_takes_the_list_with_it(kind: str) -> None:
    text = (
        "modules:\n  web: {prober: http}\n  other:\n    timeout: soon\n"
        f"    prober: {kind}\n    {kind}: {{anything: [1]}}\n    http: {{unknown: 1}}\n    new: 1\n"
    )

    found = read_modules(text, "modules.yaml")

    assert list(found.modules) == ["web"]
    why = f"its prober is {kind}, and only http is probed here; keep blackbox_exporter for it"
    assert found.left_out == {"other": why}
    assert [str(warning) for warning in found.warnings] == [
        f"modules.yaml:5: modules.other.prober: the module is left out: {why}"
    ]


@pytest.mark.parametrize(
    ("http", "where"),
    [
        ("{oauth2: {}, method: BREW}", "http.oauth2"),
        ("{http_headers: {X-A: {values: [b]}}}", "http.http_headers"),
        ("{fail_if_body_json_matches_cel: body.a == 1}", "http.fail_if_body_json_matches_cel"),
        ("{enable_http3: true, valid_http_versions: [HTTP/3.0]}", "http.enable_http3"),
        ("{tls_config: {min_version: TLS12}}", "http.tls_config.min_version"),
    ],
)
def test_a_module_with_what_blackbox_alone_has_is_left_out(http: str, where: str) -> None:
    """One file may serve both exporters: what is good there must not keep this one from starting.

    Fields of blackbox_exporter 0.27: its CONFIGURATION.md, and HTTPClientConfig of common/config.
    """
    found = read_modules(
        f"modules:\n  web: {{prober: http}}\n  m:\n    prober: http\n    http: {http}\n", "m.yaml"
    )

    assert list(found.modules) == ["web"]
    field = where.rpartition(".")[2]
    why = f"it has {field}, which is not known here; keep blackbox_exporter for it"
    assert found.left_out == {"m": why}
    (warning,) = found.warnings
    assert str(warning) == f"m.yaml:5: modules.m.{where}: the module is left out: {why}"


def test_a_field_of_blackbox_in_a_wrong_place_is_a_mistake() -> None:
    assert mistakes("modules: {m: {prober: http, oauth2: {}}}")
    assert mistakes("modules: {m: {prober: http, http: {oauth2: {}}}, n: {prober: htp}}")


@pytest.mark.parametrize("kind", ["htp", "HTTP", "tcp4", "[tcp]", "''"])
def test_a_prober_that_does_not_exist_is_refused_with_one_clear_message(kind: str) -> None:
    found = mistakes(f"modules:\n  m:\n    prober: {kind}\n  other: {{prober: tcp}}\n")

    assert len(found) == 1
    assert found[0].startswith("modules.yaml:3: modules.m.prober: must be ")


def test_every_mistake_is_reported_at_once_with_its_line_and_no_value() -> None:
    text = f"""modules:
  one:
    prober: http
    timeout: {SECRET}
    http:
      valid_status_codes: [99]
      unknown: 1
      fail_if_body_matches_regexp: ['(?={SECRET})']
  two:
    prober: http
    http:
      bearer_token: {SECRET}
      basic_auth: {{username: u, password: {SECRET}, password_file: /nowhere/{SECRET}}}
      body: a
      body_file: /nowhere
"""

    found = mistakes(text)

    places = [line.split(": ")[0] + " " + line.split(": ")[1] for line in found]
    assert places == [
        "modules.yaml:4 modules.one.timeout",
        "modules.yaml:6 modules.one.http.valid_status_codes[0]",
        "modules.yaml:7 modules.one.http.unknown",
        "modules.yaml:8 modules.one.http.fail_if_body_matches_regexp[0]",
        "modules.yaml:12 modules.two.http.bearer_token",
        "modules.yaml:13 modules.two.http.basic_auth",
        "modules.yaml:13 modules.two.http.basic_auth.password_file",
        "modules.yaml:13 modules.two.http.basic_auth.password_file",
        "modules.yaml:15 modules.two.http.body_file",
        "modules.yaml:15 modules.two.http.body_file",
    ]
    assert SECRET not in "\n".join(found)


@pytest.mark.parametrize(
    ("http", "where", "what"),
    [
        ("{headers: {'X Y': a}}", "headers.(…)", "is not a header name"),
        ("{headers: {Content-Length: '1'}}", "headers.Content-Length", "is set by the HTTP client"),
        ('{headers: {X-A: "a\\nb"}}', "headers.X-A", "control character"),
        ("{headers: {X-A: a, x-a: b}}", "headers.x-a", "given twice"),
        (
            "{compression: gzip, headers: {Accept-Encoding: br}}",
            "compression",
            "is not accepted by",
        ),
        (
            "{compression: gzip, headers: {Accept-Encoding: gzip;q=0}}",
            "compression",
            "is not accepted by",
        ),
        ("{authorization: {type: Basic, credentials: a}}", "authorization.type", "use basic_auth"),
        ("{authorization: {type: Bearer}}", "authorization", "needs credentials"),
        (
            "{authorization: {credentials: a, credentials_file: /nowhere}}",
            "authorization.credentials_file",
            "not both",
        ),
        ('{bearer_token: "a\\r\\nX: b"}', "bearer_token", "control character"),
        ("{body_size_limit: 1GB}", "body_size_limit", "at most 10MB"),
        ("{body_size_limit: much}", "body_size_limit", "such as 512KB"),
        ("{tls_config: {key_file: /nowhere}}", "tls_config", "both cert_file and key_file"),
        ("{tls_config: {ca_file: /nowhere}}", "tls_config.ca_file", "no such file"),
        ("{bearer_token_file: /nowhere}", "bearer_token_file", "no such file"),
        ("{fail_if_header_matches: [{header: A, regexp: '('}]}", "regexp", "RE2"),
        ("{fail_if_header_matches: [{regexp: a}]}", "fail_if_header_matches[0]", "header is miss"),
        ("{proxy_url: 'ftp://x'}", "proxy_url", "must be a proxy URL"),
        ("{method: BREW}", "method", "must be one of"),
        ("{preferred_ip_protocol: ip5}", "preferred_ip_protocol", "must be one of ip4, ip6"),
        ("{oauth: {}}", "oauth", "unknown field oauth"),
    ],
)
def test_a_mistake_in_a_module_is_refused(http: str, where: str, what: str) -> None:
    found = mistakes(f"modules:\n  m:\n    prober: http\n    http: {http}\n")

    assert any(where in line and what in line for line in found), found


def test_no_variable_is_replaced_as_in_blackbox() -> None:
    module = module_of("{fail_if_body_matches_regexp: ['a${NAME}']}")

    assert module.http.fail_if_body_matches_regexp == ("a${NAME}",)


def test_sections_of_other_probers_in_an_http_module_are_without_effect() -> None:
    text = "modules:\n  m: {prober: http, tcp: {ip_protocol_fallback: true}, icmp: {ttl: 64}}\n"

    assert read_modules(text, "modules.yaml").modules["m"].http.follow_redirects


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("api.example", "http://api.example/"),
        ("api.example:8080/x?y=1", "http://api.example:8080/x?y=1"),
        ("HTTPS://API.example/Path", "https://api.example/Path"),
        ("http://u:p@api.example/", "http://api.example/"),
        ("HTTPS://Bücher.example/a b|c", "https://xn--bcher-kva.example/a%20b%7Cc"),
        ("http://api.example/a?to=http://b/", "http://api.example/a?to=http://b/"),
        ("http://api.example/#part", "http://api.example/"),
    ],
)
def test_a_target_becomes_a_url(target: str, url: str) -> None:
    assert check_of(target=target).endpoint.url == url


@pytest.mark.parametrize(
    "target",
    [
        "",
        "http://",
        "ftp://api.example/",
        "file:///etc/passwd",
        "http://a b/",
        "http://é b/",
        "http://a\\@b/",
        "http://a:99999/",
        "http://a:x/",
        "http://a\r\nX: 1/",
        "http://[::1/",
        "http://a:/",
    ],
)
def test_what_is_no_http_url_is_refused_without_repeating_it(target: str) -> None:
    with pytest.raises(CheckError, match=r"^the target is not an http or https URL$"):
        check_of(target=target)


def test_user_and_password_of_a_target_become_basic_auth() -> None:
    check = check_of(target="http://us%20er:p%40ss@api.example/")

    expected = "Basic " + base64.b64encode(b"us er:p@ss").decode()
    assert headers_of(check)["Authorization"] == expected
    assert "p%40ss" not in check.endpoint.shown


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ("{basic_auth: {username: u, password: p}}", "Basic dTpw"),
        ("{basic_auth: {username: u, password_file: FILE}}", "Basic dTpzdHV2"),
        ("{bearer_token: abc}", "Bearer abc"),
        ("{bearer_token_file: FILE}", "Bearer stuv"),
        ("{authorization: {credentials: abc}}", "Bearer abc"),
        ("{authorization: {type: Token, credentials_file: FILE}}", "Token stuv"),
    ],
)
def test_each_way_to_authorize_makes_its_header(http: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("stuv\n")

    check = check_of(http.replace("FILE", str(file)))

    assert headers_of(check)["Authorization"] == expected


def test_a_key_file_is_read_at_each_probe(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first")
    module = module_of(f"{{bearer_token_file: {file}}}")
    file.write_text("second")

    check = make_check(module, "api.example", timeout=1.0, user_agent="agent")

    assert headers_of(check)["Authorization"] == "Bearer second"


@pytest.mark.parametrize("field", ["bearer_token_file", "body_file"])
def test_a_file_that_is_gone_fails_the_probe_in_words(field: str, tmp_path: Path) -> None:
    file = tmp_path / "gone"
    file.write_text("x")
    module = module_of(f"{{{field}: {file}}}")
    file.unlink()

    with pytest.raises(CheckError, match="cannot be read"):
        make_check(module, "api.example", timeout=1.0, user_agent="agent")


def test_a_host_header_names_the_certificate_unless_server_name_does() -> None:
    by_header = check_of("{headers: {Host: 'Inner.example:8443'}}")
    by_name = check_of("{headers: {Host: a.example}, tls_config: {server_name: b.example}}")

    assert by_header.endpoint.tls.server_name == "inner.example"
    assert by_name.endpoint.tls.server_name == "b.example"


@pytest.mark.parametrize(
    ("http", "hops"),
    [
        ("{no_follow_redirects: true}", 0),
        ("{follow_redirects: false}", 0),
        ("{no_follow_redirects: false, follow_redirects: false}", 10),
    ],
)
def test_the_old_name_for_following_redirects_wins(http: str, hops: int) -> None:
    assert check_of(http).endpoint.follow_redirects == hops


@pytest.mark.parametrize(
    ("written", "count"), [("0", 0), ("512", 512), ("1KB", 1024), ("10MiB", 10485760)]
)
def test_a_size_counts_in_powers_of_two(written: str, count: int) -> None:
    assert check_of(f"{{body_size_limit: {written}}}").rules.body_limit == count


def test_no_secret_shows_in_what_a_module_says_of_itself() -> None:
    module = module_of(
        f"{{headers: {{X-Api-Key: {SECRET}}}, body: {SECRET}, bearer_token: {SECRET},"
        f" proxy_url: 'http://u:{SECRET}@proxy/'}}"
    )

    assert SECRET not in repr(module)
    assert {SECRET in secret.reveal() for secret in secrets_in(module)} == {True}
    assert len(list(secrets_in(module))) == 4


def test_a_reload_takes_all_or_nothing(tmp_path: Path) -> None:
    file = tmp_path / "modules.yaml"
    file.write_text("modules: {old: {prober: http}}")
    modules = Modules(file)
    read = modules.loading_with(lambda: "configuration")
    read()
    modules.activate()
    file.write_text("modules: {new: {prober: htp}}")

    with pytest.raises(SettingsError):
        read()

    assert modules.get("old") is not None
    assert modules.get("new") is None


def test_what_is_left_out_is_logged_when_it_comes_into_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "modules.yaml"
    left_out = "ping: {prober: icmp}, signed: {prober: http, http: {oauth2: {}}}"
    file.write_text(f"modules: {{web: {{prober: http}}, {left_out}}}")
    modules = Modules(file)
    modules.loading_with(lambda: None)()
    modules.activate()

    assert [record.getMessage() for record in caplog.records] == ["configuration warning"] * 2
    assert modules.get("signed") is modules.get("ping") is None
    assert modules.why_left_out("signed").startswith("it has oauth2, ")
    assert modules.why_left_out("ping").startswith("its prober is icmp, ")
    assert (modules.why_left_out("web"), modules.why_left_out("nothing")) == ("", "")


def test_mistakes_of_both_files_are_raised_together(tmp_path: Path) -> None:
    file = tmp_path / "modules.yaml"
    file.write_text("modules: {m: {prober: htp}}")

    def wrong() -> None:
        read_modules("modules: 1", "services.yaml")

    with pytest.raises(SettingsError) as caught:
        Modules(file).loading_with(wrong)()

    assert len({problem.source for problem in caught.value.problems}) == 2


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    read = Modules(tmp_path / "nothing.yaml").loading_with(lambda: None)

    with pytest.raises(SettingsError, match="cannot be read"):
        read()

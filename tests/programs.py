"""Real programs for tests and measurements, on loopback ports of their own, pinned to cores.

In a measurement core 0 has target and driver, core 1 the measured program: only its CPU counts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.patience import Patience

TICKS = os.sysconf("SC_CLK_TCK")
TOOLS = Path(__file__).parent.parent / "build" / "tools"
"""What tests/tools.sh builds; first, since an older one of the system is not what is tested."""
NGINX = """
worker_processes 1; daemon off; pid {dir}/pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
  uwsgi_temp_path {dir}; scgi_temp_path {dir};
  server {{
    listen 127.0.0.1:{http} backlog=4096; listen 127.0.0.1:{https} ssl backlog=4096;
    ssl_certificate {dir}/chain.pem; ssl_certificate_key {dir}/key.pem;
    location / {{ default_type application/json; return 200 '{{"status": "ok"}}'; }}
  }}
}}
"""


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def program(*names: str) -> str:
    """Return the path of the first of *names* that is installed; its absence is an error."""
    for name in names:
        for folder in (str(TOOLS), None, "/usr/sbin:/usr/bin:/usr/local/bin"):
            if found := shutil.which(name, path=folder):
                return found
    raise FileNotFoundError(f"{names[0]} is not installed; make test installs it")


def unhurried(*names: str) -> list[str]:
    """Return the command of what computes for long, after what runs in real time beside it.

    Several tests run at once: a promtool that judges a day on every core would starve the chain of
    another. It has a third of a core that others want too; the last niceness, 19, would leave it a
    seventieth, and on a busy machine a minute of work would take an hour.
    """
    # Go's collector would take a fifth of the work; half a GB of memory instead.
    return ["env", "GOMAXPROCS=1", "GOGC=400", "nice", "-n", "5", program(*names)]


def heed_interrupts() -> None:
    """Let SIGINT end what this process starts, which inherits it if a shell had it ignored.

    A handler is not inherited. This one does nothing, so that to this process all is as it was.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)


@contextlib.contextmanager
def running(
    command: list[str], core: int | None, url: str, env: dict[str, str] | None = None
) -> Iterator[int]:
    """Run *command* until the block ends, on one *core* if given; *url* answers by then."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*pinned, *command], stdout=log, stderr=log, env=env)
        try:
            wait_for(url, process, log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def wait_for(url: str, process: subprocess.Popen[bytes], log: object, seconds: float = 120) -> None:
    """Return when *url* answers anything but 503."""
    patience = Patience(seconds)
    while not patience.is_over:
        if process.poll() is not None:
            log.seek(0)  # type: ignore[attr-defined]
            raise RuntimeError(f"ended at once: {log.read()[-2000:]!r}")  # type: ignore[attr-defined]
        try:
            # Not urlopen: from Python 3.12 on it trusts for good whom it trusted at its first call.
            urllib.request.build_opener().open(url, timeout=1).read()
            return
        except urllib.error.HTTPError as answer:
            if answer.code != 503:
                return
            time.sleep(0.05)
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(url)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of the process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    """Return the resident set of the process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def nginx(folder: Path, core: int | None = None) -> Iterator[tuple[str, str, Path]]:
    """Run nginx; yield its http and https URL and the CA file."""
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    cert = ca.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    ca.cert_pem.write_to_path(folder / "ca.pem")
    cert.private_key_pem.write_to_path(folder / "key.pem")
    for i, blob in enumerate(cert.cert_chain_pems):
        blob.write_to_path(folder / "chain.pem", append=i > 0)
    http, https = free_port(), free_port()
    (folder / "nginx.conf").write_text(NGINX.format(dir=folder, http=http, https=https))
    base = f"http://127.0.0.1:{http}/"
    with running([program("nginx"), "-c", str(folder / "nginx.conf")], core, base):
        yield base, f"https://localhost:{https}/", folder / "ca.pem"


@contextlib.contextmanager
def exporter(
    folder: Path, services: str, *arguments: str, core: int | None = None, scheme: str = "http"
) -> Iterator[tuple[int, str]]:
    """Run our exporter with the configuration *services*; yield its pid and URL."""
    path = folder / f"services-{free_port()}.yaml"
    path.write_text(services)
    port = free_port()
    base = f"{scheme}://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "exporter",
        "serve",
        "--config",
        str(path),
        "--listen",
        f"127.0.0.1:{port}",
        "--log.level",
        "error",
        *arguments,
    ]
    with running(command, core, base + "/-/ready") as pid:
        yield pid, base


def fleet(url: str, count: int, interval: str, ca: Path | None = None, timeout: str = "") -> str:
    """Return the configuration of *count* services that probe *url* with their id in the path."""
    tls = f", tls: {{ca_file: {ca}}}" if ca else ""
    wait = f", timeout: {timeout}" if timeout else ""
    head = (
        f"defaults: {{health_check: {{interval: {interval}, allow_private_addresses: true,"
        f" retries: 0{wait}{tls}}}}}\nservices:\n"
    )
    return head + "".join(
        f"- {{id: s{i}, base_url: '{url}', health_check: {{endpoint: /s{i}}}}}\n"
        for i in range(count)
    )

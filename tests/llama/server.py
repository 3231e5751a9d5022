"""llama.cpp's own server with a tiny model: `python -m tests.llama.server MODEL PORT`.

Run in a process of its own with `build/llama` on the path, where `make test` puts the package.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.llama.weights import write
from tests.programs import free_port, running

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "build" / "llama"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Yield the address of a server whose one model is called `tiny`."""
    if not INSTALLED.is_dir():
        raise FileNotFoundError("llama.cpp's server is not installed: make test installs it")
    weights, port = folder / "tiny.gguf", free_port()
    write(weights)
    command = [sys.executable, "-m", __name__, str(weights), str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(INSTALLED), str(ROOT)))}
    with running(command, None, f"http://127.0.0.1:{port}/health", env=environment):
        yield f"http://127.0.0.1:{port}"


def main(weights: str, port: str) -> None:
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = {"tiny"}
    params.hostnames, params.port = ["127.0.0.1"], int(port)
    params.n_ctx, params.n_parallel, params.warmup = 2048, 2, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)  # listens until it is gone
    signal.pause()
    del server


if __name__ == "__main__":
    main(*sys.argv[1:3])

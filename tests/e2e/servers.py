"""Start a server on a free port, with a home of its own, and stop all that it started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


@contextmanager
def serving(
    command: Sequence[str], ready: str, *, files: Mapping[str, str] | None = None, **extra: Any
) -> Iterator[tuple[str, Path]]:
    """Run `command` in a folder of its own until it answers at the path `ready`.

    Args:
        command: Its words, in which `{port}` and `{root}` are filled in.
        ready: Path that answers once the server is up.
        files: Texts to write into the folder before.
        extra: More for `Popen`.

    Yields:
        The server's address and the folder.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home, root = Path(folder) / "home", Path(folder) / "notebooks"
        home.mkdir()
        root.mkdir()
        for name, text in (files or {}).items():
            (root / name).write_text(text, encoding="utf-8")
        port = _free_port()
        words = [word.format(port=port, root=root) for word in command]
        log = (Path(folder) / "server.log").open("wb")
        server = subprocess.Popen(
            words, env=_environment(home), cwd=root, stdout=log, stderr=log,
            start_new_session=True, **extra,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url + ready, server)
            yield url, root
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
            log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(home: Path) -> dict[str, str]:
    folders = {
        "HOME": home,
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
    }
    settings = home / "config/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    return {
        **os.environ,
        **{name: str(folder) for name, folder in folders.items()},
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def _wait(url: str, server: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"The server stopped with exit code {server.returncode}.")
        try:
            urllib.request.urlopen(url, timeout=2)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"The server did not answer within {timeout_s:.0f} s.")

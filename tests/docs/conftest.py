"""The site is built once, with the command that builds it for readers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.site import Site

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Every page; of the notebooks the code is shown and not run, which `test_notebooks` does."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    command += ["-b", "html", "-d", str(out.with_name("doctrees")), "-D", "run_notebooks=0"]
    done = subprocess.run(
        [*command, str(DOCS), str(out)], capture_output=True, text=True, env=offline(), check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return Site(out)


def offline() -> dict[str, str]:
    """An environment in which any use of the network goes through a proxy that is not there."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    return os.environ | nowhere | {"OMP_NUM_THREADS": "1"}

"""`import headscope` is light, and its names are all there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import headscope as hs
from tests.golden import build

HEAVY = ("torch", "transformers", "transformer_lens", "anywidget", "ipywidgets", "pandas", "plotly")
MAX_SECONDS = 0.3


def in_a_fresh_python(code: str, *arguments: str) -> Any:
    """What `code` leaves in `out`, as JSON."""
    script = f"import json, sys\n{code}\nprint(json.dumps(out))"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_import_takes_nothing_heavy_along() -> None:
    loaded = in_a_fresh_python("import headscope\nout = sorted(sys.modules)")
    assert not {*HEAVY, "numpy", "traitlets"} & set(loaded)


def test_import_is_quick() -> None:
    timed = "import time\nt = time.perf_counter()\nimport headscope\nout = time.perf_counter() - t"
    assert min(in_a_fresh_python(timed) for _ in range(3)) < MAX_SECONDS


def test_a_saved_result_opens_without_torch(tmp_path: Path) -> None:
    path = build.grid().save(tmp_path / "grid")
    code = (
        "import headscope as hs\n"
        "grid = hs.load_result(sys.argv[1])\n"
        "frame, figure = grid.to_dataframe(), grid.to_plotly()\n"
        "out = [grid.title, 'torch' in sys.modules, 'transformer_lens' in sys.modules]"
    )
    assert in_a_fresh_python(code, str(path)) == ["Golden grid", False, False]


def test_a_graph_is_shown_and_saved_without_torch(tmp_path: Path) -> None:
    path = build.circuit_graph().save(tmp_path / "graph")
    code = (
        "import headscope as hs\n"
        "view = hs.GraphView(sys.argv[1])\n"
        "view.save_html(sys.argv[1] + '.html')\n"
        "out = [view.run().title, 'torch' in sys.modules, 'pandas' in sys.modules]"
    )
    assert in_a_fresh_python(code, str(path)) == ["Golden graph", False, False]


@pytest.mark.parametrize("name", hs.__all__)
def test_every_public_name_exists_and_is_listed(name: str) -> None:
    assert getattr(hs, name) is not None
    assert name in dir(hs)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="AttentionPattern'"):
        _ = hs.AttentionPattern

"""What ships: the wheel holds the front end and the model, and imports where nothing else is."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = (
    "headscope/static/widget.js",
    "headscope/static/frozen.js",
    "headscope/static/attention.js",
    "headscope/static/frozen-attention.js",
    "headscope/static/graph.js",
    "headscope/static/frozen-graph.js",
    "headscope/widgets/loader.js",
    "headscope/demo/demo-model/model.safetensors",
    "headscope/demo/demo-model/tokenizer.json",
    "headscope/demo/demo-model/card.json",
    "headscope/py.typed",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_wheel_and_the_sdist_hold_the_bundle_and_the_model(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/src/")[2] for name in archive.getnames()}
        everything = archive.getnames()
    assert set(SHIPPED) <= in_wheel
    assert set(SHIPPED) <= in_sdist
    assert not [name for name in (*in_wheel, *everything) if "node_modules" in name]
    assert any(name.endswith("js/package-lock.json") for name in everything)


def test_the_wheel_imports_in_a_clean_environment(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, cwd=tmp_path)
    code = (
        "import headscope as hs; from importlib.resources import files; "
        "root = files('headscope'); "
        "print(hs.__version__, len((root / 'static/widget.js').read_text()) > 10_000, "
        "hs.demo.prompts['two_hop'][0].answer, (hs.demo.MODEL_DIR / 'config.json').is_file())"
    )
    run = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert run.stdout.split() == ["0.1.0", "True", "Austin", "True"], run.stderr


def test_there_is_one_version_number() -> None:
    source = (ROOT / "src/headscope/_version.py").read_text()
    assert source.count('"0.1.0"') == 1
    others = [
        path
        for path in (ROOT / "pyproject.toml", ROOT / "js/package.json")
        if '"0.1.0"' in path.read_text()
    ]
    assert others == []

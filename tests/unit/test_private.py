"""Nothing that is saved or shown says in which folders things lie, nor whose they are."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from base64 import b64decode
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

import headscope as hs
from headscope.export import bundle
from headscope.model import LiveModel
from headscope.widgets.failure import describe
from tests.model.dictionary_files import random_layers, write_per_layer
from tests.models import D_MODEL, N_LAYERS

USER = "somebody-private"
CAT, DOG = "the cat sat on the mat the", "the dog sat on the mat the"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home") / USER


@pytest.fixture(scope="module")
def widgets(home: Path, gpt2_dir: Path) -> list[Any]:
    """Of a model and transcoders from folders; the last has failed."""
    shutil.copytree(gpt2_dir, home / "my-model")
    model = hs.load(home / "my-model")
    folder = home / "my-transcoders"
    folder.mkdir()
    transcoders = hs.load_transcoders(write_per_layer(folder, random_layers(N_LAYERS, 20, D_MODEL)))
    made = [
        hs.LogitLens(model, CAT),
        hs.AttributionGraph(model, CAT, transcoders, max_nodes=20),
        hs.CircuitDiscovery(model, CAT, DOG, answer=" mat", wrong=" dog", method="eap"),
    ]
    for widget in made:
        widget.run()
    failed = hs.ActivationPatching(model, CAT, DOG, site="z", head=99, over="layer_position")
    assert failed.last_error is not None
    return [*made, failed]


def test_pages_results_figures_and_code_name_no_folder(widgets: list[Any], tmp_path: Path) -> None:
    for widget in widgets[:-1]:
        assert "my-model" in widget.to_code()
        packed = gzip.decompress(b64decode(widget.freeze().text))
        saved = widget.result.save(tmp_path / "result").read_bytes()
        figure = widget.result.to_plotly().to_json()
        for text in (packed, saved, figure.encode(), widget.to_code().encode()):
            assert USER.encode() not in text
            assert str(Path.home()).encode() + b"/" not in text
    assert widgets[1].result.provenance.parameters["transcoders"] == "my-transcoders"


def test_a_saved_notebook_names_no_folder(widgets: list[Any]) -> None:
    state = ipywidgets.Widget.get_manager_state(widgets=None)
    shown = json.dumps({key: state["state"][key] for key in (w.model_id for w in widgets)})
    assert "my-model" in shown
    assert USER not in shown
    assert all(USER not in repr(widget) for widget in widgets)


def test_outputs_of_a_notebook_name_no_folder(widgets: list[Any]) -> None:
    for widget in widgets:
        for output in (widget._alone(picture_only=False), widget._beside()):
            shown = json.dumps(output)
            for data in re.findall(r'headscope-data\\">([^<]*)<', shown):
                shown += gzip.decompress(b64decode(data)).decode("latin-1")
            assert USER not in shown
            assert f"{Path.home()}/" not in shown


def test_a_folder_that_is_gone_is_named_by_its_last_part(gpt2: Any) -> None:
    name = gpt2.cfg.model_name
    gpt2.cfg.model_name = f"/home/{USER}/models/gone"
    try:
        assert LiveModel.of(gpt2).name == "gone"
    finally:
        gpt2.cfg.model_name = name


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("No such file: '/home/me/models/x.bin'", "No such file: 'x.bin'"),
        (r"C:\Users\me\x.bin is broken", "x.bin is broken"),
        ("~/models/x.bin and ./x/y", "x.bin and ./x/y"),
        ("see https://example.org/a/b, 3 / 4 and and/or/else", None),
    ],
)
def test_an_unexpected_error_is_shown_without_folders(said: str, shown: str | None) -> None:
    assert describe(ValueError(said))["message"] == (said if shown is None else shown)


def test_the_front_end_was_built_nowhere() -> None:
    here = str(Path(__file__).parents[2])
    for path in bundle.STATIC.glob("*.js"):
        assert here not in path.read_text(encoding="utf-8")

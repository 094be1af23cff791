"""Fixtures that every test folder shares. Nothing here needs a network."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
# More threads than free cores make tiny models ten times slower: in what the tests start, too.
os.environ["OMP_NUM_THREADS"] = "1"

from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

pytest.register_assert_rewrite("tests.analyses.by_hand")
# The same examples in every run: a failure is a change of the code, not of the dice.
settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """In this process too, where torch may have been imported before."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests import models

    path = tmp_path_factory.mktemp("tokenizer")
    models.save_tokenizer(path)
    return path


@pytest.fixture(scope="session")
def tokenizer(tokenizer_dir: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tokenizer_dir)


@pytest.fixture(scope="session")
def gpt2(tokenizer: Any) -> Any:
    """A tiny GPT-2-type bridge. Shared: leave it as you found it."""
    from tests import models

    return models.bridge(models.hf_gpt2(), tokenizer, name="tiny-gpt2")


@pytest.fixture(scope="session")
def llama(tokenizer: Any) -> Any:
    """A tiny Llama-type bridge. Shared: leave it as you found it."""
    from tests import models

    return models.bridge(models.hf_llama(), tokenizer, name="tiny-llama")


@pytest.fixture(scope="session")
def gpt2_processed(tokenizer: Any) -> Any:
    """`gpt2` with folded and centred weights (TransformerLens's compatibility mode)."""
    from tests import models

    return models.bridge(models.hf_gpt2(), tokenizer, name="tiny-gpt2", compatibility=True)


@pytest.fixture(scope="session")
def llama_processed(tokenizer: Any) -> Any:
    """`llama` with folded weights (TransformerLens's compatibility mode)."""
    from tests import models

    return models.bridge(models.hf_llama(), tokenizer, name="tiny-llama", compatibility=True)


@pytest.fixture(scope="session")
def neox(tokenizer: Any) -> Any:
    """A tiny bridge with parallel blocks (GPT-NeoX). Shared: leave it as you found it."""
    from tests import models

    return models.bridge(models.hf_neox(), tokenizer, name="tiny-neox")


@pytest.fixture(scope="session")
def gemma2(tokenizer: Any) -> Any:
    """A tiny bridge with norms after its sublayers and soft caps. Leave it as you found it."""
    from tests import models

    return models.bridge(models.hf_gemma2(), tokenizer, name="tiny-gemma2")


@pytest.fixture(scope="session")
def gpt2_dir(tokenizer_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved tiny GPT-2 with its tokenizer, as `hs.load(path)` takes it."""
    from transformers import AutoTokenizer

    from tests import models

    path = tmp_path_factory.mktemp("tiny-gpt2")
    models.hf_gpt2().save_pretrained(path)
    AutoTokenizer.from_pretrained(tokenizer_dir).save_pretrained(path)
    return path


@pytest.fixture(params=["gpt2", "llama", "gpt2_processed", "llama_processed"])
def any_bridge(request: pytest.FixtureRequest) -> Any:
    """Each of the four shared bridges in turn."""
    return request.getfixturevalue(request.param)


FAMILIES = ["gpt2", "llama", "gpt2_processed", "llama_processed", "neox", "gemma2"]


@pytest.fixture(params=FAMILIES)
def every_bridge(request: pytest.FixtureRequest) -> Any:
    """The four shared bridges, and those with parallel blocks and with norms after sublayers."""
    return request.getfixturevalue(request.param)


class Families(dict[str, Any]):
    """Bridges by name, short to print."""

    def __repr__(self) -> str:
        return f"Families({', '.join(self)})"


@pytest.fixture(scope="session")
def families(request: pytest.FixtureRequest) -> Families:
    """All of them by name, for tests that draw one."""
    return Families({name: request.getfixturevalue(name) for name in FAMILIES})

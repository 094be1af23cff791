"""Neighbours of directions, against whole matrices of cosines made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import nearest_tokens
from headscope.analyses.nearest_tokens import NearestTokensRequest
from headscope.model import LiveModel, rows
from tests.analyses.steps import drain, result_of, vector
from tests.attribution.transcoders import random_transcoders
from tests.models import D_MODEL, D_VOCAB, N_LAYERS

MADE = hs.direction('cat - dog + 0.5 * "the mat sat on"')


def nearest(bridge: Any, of: Any = MADE, **more: Any) -> Any:
    return result_of(nearest_tokens.run(LiveModel.of(bridge), NearestTokensRequest(of, **more)))


def cosines(of: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cosine_similarity(of[None], matrix, dim=-1)


def agrees(grid: Any, i: int, expected: torch.Tensor) -> None:
    best = expected.topk(grid.shape[1])
    np.testing.assert_allclose(grid.values[i], best.values, atol=2e-5)
    found = [grid.top.texts[str(at)] for at in grid.top.ids[i, :, 0]]
    assert len(set(grid.top.ids[i, :, 0])) == grid.shape[1]
    assert len(found) == grid.shape[1]
    np.testing.assert_allclose(expected[grid.top.ids[i, :, 0]], best.values, atol=2e-5)


def no_mean(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(-1, keepdim=True)


def test_tokens_are_those_of_the_whole_vocabulary(gpt2: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(rows, "_PIECE_NUMBERS", 50 * D_MODEL)  # several pieces
    read = no_mean(gpt2.W_U.T * gpt2.ln_final.weight)
    written = no_mean(gpt2.W_E)
    for to, matrix in (("unembedding", read), ("embedding", written)):
        grid = nearest(gpt2, to=to, k=7)
        assert grid.shape == (N_LAYERS + 1, 7)
        assert grid.axes[0].labels[0] == "embed"
        for layer in range(N_LAYERS + 1):
            of = no_mean(vector(LiveModel.of(gpt2), MADE, layer))
            agrees(grid, layer, cosines(of, matrix - matrix.mean(0)).detach())


def test_an_rms_norm_takes_no_mean_off(llama: Any) -> None:
    matrix = llama.W_U.T * llama.ln_final.weight
    grid = nearest(llama, layers=(2,))
    of = vector(LiveModel.of(llama), MADE, 2)
    agrees(grid, 0, cosines(of, matrix - matrix.mean(0)).detach())


def test_folded_weights_have_the_same_neighbours(gpt2: Any, gpt2_processed: Any) -> None:
    for to in ("unembedding", "embedding"):
        plain, folded = (nearest(bridge, to=to, k=5) for bridge in (gpt2, gpt2_processed))
        np.testing.assert_allclose(plain.values, folded.values, atol=1e-4)


def test_a_rows_own_direction_is_its_nearest(gpt2: Any) -> None:
    for token in (5, 300):
        centred = no_mean(gpt2.W_E) - no_mean(gpt2.W_E).mean(0)
        grid = nearest(gpt2, hs.Vector(centred[token].detach()), to="embedding", k=3)
        assert (grid.top.ids[:, 0, 0] == token).all()
        np.testing.assert_allclose(grid.values[:, 0], 1, atol=1e-5)


@pytest.mark.parametrize("reads", ["mlp.hook_in", "hook_resid_mid"])
def test_features_are_those_of_their_layer(gpt2: Any, reads: str) -> None:
    transcoders = random_transcoders(N_LAYERS, D_MODEL, 40, cross=True, reads=reads)
    for to in ("encoder", "decoder"):
        grid = nearest(gpt2, to=to, k=6, transcoders=transcoders)
        assert grid.shape == (N_LAYERS, 6)
        for layer in range(N_LAYERS):
            matrix = transcoders[layer].w_enc if to == "encoder" else transcoders[layer].w_dec[:, 0]
            if (to, reads) == ("encoder", "mlp.hook_in"):
                matrix = matrix * gpt2.blocks[layer].ln2.weight.detach()
            expected = cosines(
                no_mean(vector(LiveModel.of(gpt2), MADE, layer)), no_mean(matrix.float())
            )
            names = [grid.top.texts[str(at)] for at in grid.top.ids[layer, :, 0]]
            assert names == [f"L{layer}F{at}" for at in expected.topk(6).indices.tolist()]


def test_more_neighbours_than_there_are(gpt2: Any) -> None:
    assert nearest(gpt2, k=10**4, layers=(1,)).shape == (1, D_VOCAB)


def test_where_the_direction_is_nothing_there_are_none(gpt2: Any) -> None:
    grid = nearest(gpt2, hs.Means(["the cat sat"], ["the dog sat"]))
    assert np.isnan(grid.values[0]).all()
    assert not np.isnan(grid.values[1:]).any()
    assert grid.to_dataframe()["top_token"][0] == ""


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"to": "features"}, "Choose from"),
        ({"to": "encoder"}, "transcoders"),
        ({"layers": (N_LAYERS + 1,)}, f"0 to {N_LAYERS}"),
        ({"layers": ()}, "no layer"),
        ({"k": 0}, "k is 0"),
        ({"of": hs.Vector([1.0])}, "32 wide"),
    ],
)
def test_what_cannot_be_found_is_refused(gpt2: Any, more: Any, says: str) -> None:
    with pytest.raises(hs.RequestError, match=says):
        nearest(gpt2, **({"of": MADE} | more))


def test_a_model_that_changes_between_two_pieces_is_refused(gpt2: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(nearest_tokens, "_STEP_SECONDS", 0.0)
    monkeypatch.setattr(rows, "_PIECE_NUMBERS", 64 * D_MODEL)
    steps = nearest_tokens.run(LiveModel.of(gpt2), NearestTokensRequest(MADE))
    while next(steps).message != "Comparing":
        pass
    gpt2.add_hook("blocks.1.hook_in", lambda t, hook: t)
    try:
        with pytest.raises(hs.ResultError, match="have changed since the first text ran"):
            drain(steps)
    finally:
        gpt2.reset_hooks()


def test_the_record_says_what_was_done_to_the_rows(gpt2: Any) -> None:
    transcoders = random_transcoders(N_LAYERS, D_MODEL, 40)
    told = {
        to: nearest(gpt2, hs.Token(" cat"), to=to, transcoders=transcoders).provenance.normalisation
        for to in ("unembedding", "embedding", "encoder", "decoder")
    }
    assert [to for to in told if "gain" in told[to]] == ["unembedding", "encoder"]
    assert [to for to in told if "mean row" in told[to]] == ["unembedding", "embedding"]


def test_a_direction_that_cancels_is_refused(gpt2: Any) -> None:
    nothing = hs.Vector((0.0,) * gpt2.cfg.d_model)
    with pytest.raises(hs.RequestError, match="comes to 0 at every layer"):
        hs.NearestTokens(gpt2, nothing).run()

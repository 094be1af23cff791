"""Flow routes equal a plain implementation, and nothing of the flow is lost."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch

from headscope.analyses.prompt_pairs import Pair
from headscope.model import flow_routes
from tests import edges as by_hand
from tests.analyses.studies import ANSWER, PAIRS, WRONG, scores


def proximity(term, total):
    return max(float(total.abs().sum() - (total - term).abs().sum()), 0.0)


def naive(bridge, study, ids, factors=None):
    """Recursively, one reader at one position at a time; `factors` by which heads are scaled."""
    edges, layout = study.edges, study.edges.layout
    found = np.zeros(edges.possible.shape)
    names = [f"blocks.{layer}.{part}" for layer in range(layout.n_layers) for part in
             ("hook_resid_pre", "hook_mlp_out", "hook_resid_post", "attn.hook_pattern",
              "attn.hook_v", "attn.hook_z")]  # fmt: skip
    seen = dict(zip(names, by_hand.look(bridge, ids, names), strict=True))

    @lru_cache
    def terms(layer, position):
        """(what takes, its vector) at one sum: the stream first."""
        at = f"blocks.{layer}."
        pattern, v, z = (seen[at + f"attn.hook_{x}"] for x in ("pattern", "v", "z"))
        whole = sum(z[position, h] @ bridge.blocks[layer].attn.W_O[h].detach()
                    for h in range(layout.n_heads))  # fmt: skip
        gain = torch.ones(())
        if "ln1_post" in dict(bridge.blocks[layer].named_children()):
            norm = bridge.blocks[layer].ln1_post
            size = (whole.pow(2).mean() + norm.original_component.eps).sqrt()
            gain = (1 + norm.weight.detach()) / size
        out = []
        for h in range(layout.n_heads):
            for s in range(position + 1):
                w_o = bridge.blocks[layer].attn.W_O[h].detach()
                value = v[s, h // layout.group] @ w_o * (factors or {}).get((layer, h), 1)
                out.append((("head", h, s), pattern[h, position, s] * value * gain))
        return out

    @lru_cache
    def sum_at(layer, position, attention):
        """Who takes which share of a sum: behind the MLP, or (`attention`) before it."""
        at = f"blocks.{layer}."
        before, mlp, after = (seen[at + n][position] for n in
                              ("hook_resid_pre", "hook_mlp_out", "hook_resid_post"))  # fmt: skip
        if not attention:
            parts, total = [("stream", after - mlp), ("mlp", mlp)], after
        else:
            total = after if layout.parallel else after - mlp
            parts = [("stream", before), *terms(layer, position)]
            if layout.parallel:
                parts.append(("mlp", mlp))
        return list(zip((who for who, _ in parts), split(total, parts), strict=True))

    def split(total, parts):
        near = [proximity(vector, total) for _, vector in parts]
        if sum(near) == 0:
            return [1.0] + [0.0] * (len(parts) - 1)
        return [n / sum(near) for n in near]

    def follow(reader, layer, at_mlp, position, flow):
        """What the reader sees before block `layer`'s MLP (`at_mlp`) or attention."""
        if flow == 0:
            return
        if not at_mlp:
            if layer == 0:
                found[0, reader] += flow
                return
            layer -= 1
        first = edges.written_before(layer)
        if not at_mlp and not layout.parallel:
            (_, kept), (_, taken) = sum_at(layer, position, False)
            found[first + layout.n_heads, reader] += flow * taken
            follow(edges.columns(layer, None).start, layer, True, position, flow * taken)
            follow(reader, layer, True, position, flow * kept)
            return
        for what, share in sum_at(layer, position, True):
            if what == "stream":
                follow(reader, layer, False, position, flow * share)
            elif what == "mlp":
                found[first + layout.n_heads, reader] += flow * share
                follow(edges.columns(layer, None).start, layer, False, position, flow * share)
            else:
                _, h, s = what
                found[first + h, reader] += flow * share
                v = edges.columns(layer, "v").start + h // layout.group
                follow(v, layer, False, s, flow * share)

    follow(len(edges.readers) - 1, layout.n_layers, False, len(ids) - 1, 1.0)
    return found


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox", "gemma2"])
def test_it_equals_a_plain_implementation(request, name, monkeypatch):
    monkeypatch.setattr(flow_routes, "_NUMBERS", 1)  # one destination at a time
    bridge = request.getfixturevalue(name)
    pairs = [Pair(pair.clean[:3], pair.corrupted[:3], ANSWER, WRONG) for pair in PAIRS[:2]]
    found, study = scores(bridge, pairs, method="flow_routes")
    expected = np.mean([naive(bridge, study, pair.clean) for pair in pairs], 0)
    assert np.allclose(found, expected, atol=1e-5)
    assert expected.max() > 0.01


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox", "gemma2"])
def test_no_flow_is_lost(request, name):
    bridge = request.getfixturevalue(name)
    found, study = scores(bridge, method="flow_routes")
    edges = study.edges
    assert (found >= 0).all()
    assert (found[~edges.possible] == 0).all()
    assert found[:, -1].sum() == pytest.approx(1)
    assert found[0].sum() == pytest.approx(1)  # all of it comes from the tokens in the end
    for reader, component in enumerate(edges.readers[:-1]):
        if component.input in ("q", "k"):
            assert (found[:, reader] == 0).all()
    for layer in range(edges.layout.n_layers):
        heads = slice(edges.written_before(layer),
                      edges.written_before(layer) + edges.layout.n_heads)  # fmt: skip
        into = found[:, edges.columns(layer, "v")].sum()
        assert into == pytest.approx(found[heads].sum(), abs=1e-9)


def test_it_depends_on_no_batch(gpt2):
    together, _ = scores(gpt2, method="flow_routes")
    alone = [scores(gpt2, [pair], method="flow_routes")[0] for pair in PAIRS]
    assert np.allclose(together, np.mean(alone, 0), atol=1e-6)

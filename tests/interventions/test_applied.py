"""Each intervention equals what it stands for, done by hand; and nothing is left behind."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import headscope as hs
from tests import models

IDS = [0, 17, 40, 99, 23, 61, 5, 120]
OTHER = [0, 17, 41, 99, 7, 61, 5, 121]


def logits(bridge: Any, ids: Any = IDS, **kwargs: Any) -> torch.Tensor:
    with torch.no_grad():
        return bridge(torch.tensor([ids]), **kwargs)


def by_hooks(bridge: Any, *hooks: Any) -> torch.Tensor:
    with torch.no_grad():
        return bridge.run_with_hooks(torch.tensor([IDS]), fwd_hooks=list(hooks))


def under(bridge: Any, changes: hs.Interventions, transcoders: Any = None) -> torch.Tensor:
    before = logits(bridge)
    with changes.applied(bridge, transcoders):
        found = logits(bridge)
    assert torch.equal(logits(bridge), before)
    return found


def seen(bridge: Any, name: str, ids: list[int] = IDS) -> torch.Tensor:
    with torch.no_grad():
        _, cache = bridge.run_with_cache(torch.tensor([ids]), names_filter=name)
    return cache[name][0]


def same(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert torch.allclose(found, expected, atol=2e-5, rtol=1e-5)


def setter(at: Any, value: Any) -> Any:
    def hook_function(activation: torch.Tensor, hook: Any) -> torch.Tensor:
        activation = activation.clone()
        activation[at] = value
        return activation

    return hook_function


def test_ablations_equal_hooks(every_bridge: Any) -> None:
    z = "blocks.1.attn.hook_z"
    same(
        under(every_bridge, hs.Interventions().zero("L1H2", positions=[-1, 2])),
        by_hooks(every_bridge, (z, setter((0, [2, 7], 2), 0.0))),
    )
    same(
        under(every_bridge, hs.Interventions().zero("MLP1")),
        by_hooks(every_bridge, ("blocks.1.hook_mlp_out", lambda x, hook: x * 0)),
    )
    mean = torch.cat([seen(every_bridge, z)[1:], seen(every_bridge, z, [0, 9, 8])[1:]]).mean(0)
    same(
        under(every_bridge, hs.Interventions().mean("L1H2", [IDS, [0, 9, 8]])),
        by_hooks(every_bridge, (z, setter((0, slice(None), 2), mean[2]))),
    )


def test_patches_and_factors_equal_hooks(every_bridge: Any) -> None:
    stream = "blocks.2.hook_resid_pre"
    theirs = seen(every_bridge, stream, OTHER)
    same(
        under(every_bridge, hs.Interventions().patch("L2.resid_pre", OTHER, positions=[4])),
        by_hooks(every_bridge, (stream, setter((0, 4), theirs[4]))),
    )
    same(
        under(every_bridge, hs.Interventions().scale("L0", 0.5).scale("L0H1", 4.0)),
        by_hooks(
            every_bridge,
            ("blocks.0.attn.hook_z", lambda z, hook: z * torch.tensor([0.5, 2, 0.5, 0.5])[:, None]),
        ),
    )


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("L1.resid_post", "hook_resid_post"), ("L1.attn_out", "hook_attn_out"),
        ("L1.mlp_out", "hook_mlp_out"), ("L1H1.q", "attn.hook_q"), ("L1H1.v", "attn.hook_v"),
    ],
)  # fmt: skip
def test_every_place_can_be_scaled(gpt2: Any, name: str, hook: str) -> None:
    at = (0, slice(None), 1) if "H1" in name else (0,)

    def halve(x: torch.Tensor, hook: Any) -> torch.Tensor:
        return setter(at, x[at] / 2)(x, hook)

    same(
        under(gpt2, hs.Interventions().scale(name, 0.5)),
        by_hooks(gpt2, (f"blocks.1.{hook}", halve)),
    )


def test_the_stream_in_the_middle_of_a_block_is_changed_for_all_behind_it(gpt2: Any) -> None:
    """What attention writes is replaced by what is lacking to the other prompt's stream."""
    lacking = (
        seen(gpt2, "blocks.1.hook_resid_mid", OTHER) - seen(gpt2, "blocks.1.hook_resid_pre")
    )[4]
    same(
        under(gpt2, hs.Interventions().patch("L1.resid_mid", OTHER, [4])),
        by_hooks(gpt2, ("blocks.1.hook_attn_out", setter((0, 4), lacking))),
    )


def test_what_is_off_does_nothing(gpt2: Any) -> None:
    off = hs.Interventions().zero("L1H2").changed(0, on=False)
    assert torch.equal(under(gpt2, off), logits(gpt2))


def test_a_patch_finds_its_tokens(gpt2: Any) -> None:
    """A word more in the other prompt: what follows it meets what it is."""
    longer = [*IDS[:3], 77, *IDS[3:]]
    theirs = seen(gpt2, "blocks.1.hook_resid_pre", longer)
    same(
        under(gpt2, hs.Interventions().patch("L1.resid_pre", longer)),
        by_hooks(
            gpt2,
            ("blocks.1.hook_resid_pre", setter((0, slice(None)), theirs[[0, 1, 2, *range(4, 9)]])),
        ),
    )


def test_shared_keys_are_those_of_all_their_heads(llama: Any) -> None:
    """Query heads 2 and 3 share key-value head 1."""
    same(
        under(llama, hs.Interventions().zero("L1H3.k")),
        by_hooks(llama, ("blocks.1.attn.hook_k", setter((0, slice(None), 1), 0.0))),
    )
    same(
        under(llama, hs.Interventions().zero("L1KV1")),
        by_hooks(llama, ("blocks.1.attn.hook_z", setter((0, slice(None), [2, 3]), 0.0))),
    )


@pytest.mark.parametrize("dest", [5, None])
def test_a_cut_edge_shares_its_attention_out(every_bridge: Any, dest: int | None) -> None:
    rows = [dest] if dest else range(3, 8)

    def renormalise(pattern: torch.Tensor, hook: Any) -> torch.Tensor:
        pattern = pattern.clone()
        for row in rows:
            left = pattern[0, 1, row].clone()
            left[3] = 0
            pattern[0, 1, row] = left / left.sum()
        return pattern

    same(
        under(every_bridge, hs.Interventions().knock_out("L1H1", dest, 3)),
        by_hooks(every_bridge, ("blocks.1.attn.hook_pattern", renormalise)),
    )


def test_cut_edges_are_an_edited_mask(gpt2: Any, llama: Any) -> None:
    """In every head of every layer: the wrapped model with a mask that lacks the edge."""
    for bridge in (gpt2, llama):
        changes = hs.Interventions()
        for layer in range(models.N_LAYERS):
            changes = changes.knock_out(f"L{layer}", -1, 2)
        mask = torch.full((8, 8), torch.finfo(torch.float32).min).triu(1)
        mask[7, 2] = torch.finfo(torch.float32).min
        with torch.no_grad():
            expected = bridge.original_model(
                torch.tensor([IDS]), attention_mask=mask[None, None], use_cache=False
            ).logits
        same(under(bridge, changes), expected)


def test_a_token_with_nothing_to_attend_to_attends_to_nothing(every_bridge: Any) -> None:
    same(
        under(every_bridge, hs.Interventions().knock_out("L1H1", 4, None)),
        by_hooks(every_bridge, ("blocks.1.attn.hook_z", setter((0, 4, 1), 0.0))),
    )


def test_a_held_pattern_is_the_other_prompts(every_bridge: Any) -> None:
    name = "blocks.1.attn.hook_pattern"
    theirs = seen(every_bridge, name, OTHER)
    same(
        under(every_bridge, hs.Interventions().freeze_pattern("L1H3", OTHER)),
        by_hooks(every_bridge, (name, setter((0, 3), theirs[3]))),
    )


def test_a_clamped_neuron_has_its_value(every_bridge: Any) -> None:
    same(
        under(every_bridge, hs.Interventions().clamp("L1N7", 3.0, positions=[2])),
        by_hooks(every_bridge, ("blocks.1.mlp.hook_post", setter((0, 2, 7), 3.0))),
    )


def test_a_clamped_feature_writes_its_decoder_row(demo: Any) -> None:
    bridge, transcoders = demo
    layer, index, value = 1, 5, 20.0
    x = seen(bridge, transcoders.reads(bridge, layer))
    change = (value - transcoders[layer].encode(x)[:, index])[:, None] * transcoders[layer].decoder(
        torch.tensor([index])
    )
    same(
        under(bridge, hs.Interventions().clamp(f"L{layer}F{index}", value), transcoders),
        by_hooks(bridge, (transcoders.writes(layer), lambda out, hook: out + change)),
    )


def test_steering_is_addition(every_bridge: Any) -> None:
    name = "blocks.1.hook_resid_pre"
    texts = ["the cat sat", "the dog saw"]
    ends = [seen(every_bridge, name, every_bridge.to_tokens(t)[0].tolist())[-1] for t in texts]
    same(
        under(every_bridge, hs.Interventions().steer(1, hs.Means([texts[0]], [texts[1]]), 3.0)),
        by_hooks(every_bridge, (name, lambda x, hook: x + 3.0 * (ends[0] - ends[1]))),
    )
    given = torch.arange(models.D_MODEL) / 10
    same(
        under(every_bridge, hs.Interventions().steer(1, hs.Vector(given), positions=[3])),
        by_hooks(every_bridge, (name, lambda x, hook: setter((0, 3), x[0, 3] + given)(x, hook))),
    )


def test_a_token_difference_is_that_of_embeddings(gpt2: Any) -> None:
    difference = gpt2.W_E[40] - gpt2.W_E[41]
    same(
        under(gpt2, hs.Interventions().steer(0, hs.TokenDifference(40, 41), 2.0)),
        by_hooks(gpt2, ("blocks.0.hook_resid_pre", lambda x, hook: x + 2.0 * difference)),
    )


BUILT = {"gpt2": (models.hf_gpt2, "transformer.h"), "llama": (models.hf_llama, "model.layers"),
         "neox": (models.hf_neox, "gpt_neox.layers")}  # fmt: skip


@pytest.mark.parametrize("family", BUILT)
@pytest.mark.parametrize(
    ("changes", "order"),
    [
        (hs.Interventions().swap(0, 2), [2, 1, 0]),
        (hs.Interventions().skip(0), [1, 2]),
        (hs.Interventions().skip([1, 2]), [0]),
        (hs.Interventions().repeat(1, 3), [0, 1, 1, 1, 2]),
        (hs.Interventions().swap(0, 1).repeat(0).skip(2), [1, 0, 0]),
    ],
)
def test_layers_in_another_order_are_a_rebuilt_model(
    request: pytest.FixtureRequest, family: str, changes: hs.Interventions, order: list[int]
) -> None:
    make, path = BUILT[family]
    rebuilt = make()
    owner, name = path.rsplit(".", 1)
    parent = rebuilt.get_submodule(owner)
    blocks = getattr(parent, name)
    setattr(parent, name, torch.nn.ModuleList([copy.deepcopy(blocks[i]) for i in order]))
    rebuilt.config.num_hidden_layers = len(order)
    with torch.no_grad():
        expected = rebuilt(torch.tensor([IDS]), use_cache=False).logits
    bridge = request.getfixturevalue(family)
    same(under(bridge, changes), expected)


@pytest.mark.parametrize("part", ["attn", "mlp"])
def test_a_part_of_a_layer_is_left_out(every_bridge: Any, part: str) -> None:
    same(
        under(every_bridge, hs.Interventions().skip(1, part)),
        by_hooks(every_bridge, (f"blocks.1.hook_{part}_out", lambda x, hook: x * 0)),
    )


def test_they_act_in_their_order(gpt2: Any) -> None:
    first = hs.Interventions().zero("L1.resid_pre", [3]).steer(1, hs.Vector([1.0] * 32))
    then = first.moved(0, 1)
    name = "blocks.1.hook_resid_pre"
    zero = setter((0, 3), 0.0)
    same(under(gpt2, first), by_hooks(gpt2, (name, lambda x, hook: zero(x, hook) + 1)))
    same(under(gpt2, then), by_hooks(gpt2, (name, lambda x, hook: zero(x + 1, hook))))


def test_a_pass_that_goes_on_from_a_cache_is_the_pass_over_all(every_bridge: Any) -> None:
    """Positions are those of the text, whichever part of it runs."""
    changes = (
        hs.Interventions()
        .zero("L1H2", positions=[2, 6])
        .scale("MLP0", 2.0)
        .steer(2, hs.Vector([0.3] * models.D_MODEL))
    )
    with changes.applied(every_bridge), torch.no_grad():
        whole = every_bridge(torch.tensor([IDS]))
        _, cache = every_bridge(
            torch.tensor([IDS[:7]]), return_type="logits_and_cache", use_cache=True
        )
        last = every_bridge(torch.tensor([IDS[7:]]), past_key_values=cache)
    same(last[:, -1], whole[:, -1])


@pytest.mark.parametrize(
    "changes", [hs.Interventions().skip(0), hs.Interventions().repeat(1)], ids=["skip", "repeat"]
)
def test_a_cache_that_cannot_hold_is_refused(gpt2: Any, changes: hs.Interventions) -> None:
    ids = torch.tensor([IDS])
    with changes.applied(gpt2), torch.no_grad():
        _, cache = gpt2(ids, return_type="logits_and_cache", use_cache=True)
        with pytest.raises(hs.RequestError, match="use_cache=False"):
            gpt2(ids[:, :1], past_key_values=cache)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (hs.Interventions().zero("L9H0"), "layers 0 to 2"),
        (hs.Interventions().zero("L0H9"), "heads 0 to 3"),
        (hs.Interventions().clamp("L0N999", 1), "neurons"),
        (hs.Interventions().clamp("L0F9", 1), "transcoders"),
        (hs.Interventions().skip(7), "layer 7"),
        (hs.Interventions().steer(1, hs.Vector([1.0])), "1 numbers"),
        (hs.Interventions().steer(9, hs.Vector([1.0] * 32)), "layers 0 to 2"),
        (hs.Interventions().zero("L0H0", positions=[50]), "position 50"),
        (hs.Interventions().knock_out("L0H0", 0, 50), "position 50"),
        (hs.Interventions().freeze_pattern("L0H0", [1, 2]), "2 tokens"),
    ],
)
def test_what_a_model_has_not_is_refused_and_nothing_is_left(
    gpt2: Any, changes: hs.Interventions, says: str
) -> None:
    before = logits(gpt2)
    with pytest.raises(hs.HeadscopeError, match=says), changes.applied(gpt2):
        logits(gpt2)
    assert torch.equal(logits(gpt2), before)


def test_an_error_in_any_hook_leaves_nothing(gpt2: Any) -> None:
    """Every hook point fails in turn, under every kind of intervention at once."""
    changes = (
        hs.Interventions()
        .zero("L1H2")
        .knock_out("L0H1", -1, 0)
        .freeze_pattern("L2H0", IDS)
        .swap(0, 1)
        .repeat(2)
        .steer(0, hs.Vector([0.1] * 32))
    )
    before = logits(gpt2)
    points = {id(p): p for p in gpt2.hook_dict.values()}.values()
    own = [dict(block.__dict__) for block in gpt2.blocks]

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    failed = 0
    for point in points:
        handle = point.register_forward_hook(fail)
        try:
            with changes.applied(gpt2):
                logits(gpt2)
        except ZeroDivisionError:
            failed += 1
        finally:
            handle.remove()
        assert not any(p._forward_hooks for p in points)
    assert failed > 50
    assert not gpt2.original_model._forward_pre_hooks
    assert [block.__dict__.keys() for block in gpt2.blocks] == [d.keys() for d in own]
    assert torch.equal(logits(gpt2), before)


@pytest.fixture(scope="module")
def demo() -> Any:
    return hs.load_demo(), hs.load_demo_transcoders()


@pytest.mark.parametrize(
    "nothing",
    [
        hs.Interventions().patch("L1.resid_pre", (0, 55, 56, 57), [-1]),
        hs.Interventions().knock_out("L1H1", 1, 3),
    ],
)
def test_what_cannot_act_is_refused(gpt2: Any, nothing: hs.Interventions) -> None:
    with pytest.raises(hs.RequestError, match="does nothing"), nothing.applied(gpt2):
        logits(gpt2)

"""Whatever of a model is changed is noticed, without walking it again."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from headscope.jobs.steps import stepwise
from headscope.model.inventory import Inventory
from tests import models


@pytest.fixture
def bridge(tokenizer):
    return models.bridge(models.hf_gpt2(), tokenizer)


@pytest.fixture
def inventory(bridge):
    return Inventory(bridge)


def weights(inventory):
    inventory.refresh()
    return inventory.weights()


def hooks(inventory):
    inventory.refresh()
    return inventory.hooks()


def linear(bridge):
    return bridge.blocks[0].mlp.original_component.c_fc


def edit_in_place(bridge):
    linear(bridge).weight[3, 4] += 1.0


def edit_one_head_through_data(bridge):
    bridge.blocks[1].attn.o.original_component.weight.data[8:16] = 0


def edit_a_bias_through_data(bridge):
    linear(bridge).bias.data *= 2


def give_another_storage(bridge):
    linear(bridge).weight.data = linear(bridge).weight.data.clone()


def replace_a_parameter(bridge):
    linear(bridge).weight = nn.Parameter(linear(bridge).weight.detach().clone())


def add_a_parameter(bridge):
    bridge.blocks[0].mlp.original_component.act.gain = nn.Parameter(torch.ones(1))


def replace_a_module(bridge):
    bridge.blocks[0].mlp.original_component.act = nn.Identity()


def add_a_module(bridge):
    bridge.blocks[0].mlp.original_component.act.inner = nn.Identity()


def remove_a_module(bridge):
    del bridge.blocks[0].mlp.original_component.dropout


def change_the_dtype(bridge):
    bridge.to(torch.bfloat16, print_details=False)


@pytest.mark.parametrize(
    "change",
    [
        edit_in_place,
        edit_one_head_through_data,
        edit_a_bias_through_data,
        give_another_storage,
        replace_a_parameter,
        add_a_parameter,
        replace_a_module,
        add_a_module,
        remove_a_module,
        change_the_dtype,
    ],
)
def test_a_change_is_noticed_and_then_at_rest(bridge, inventory, change):
    before = weights(inventory)
    assert weights(inventory) == before
    with torch.no_grad():
        change(bridge)
    after = weights(inventory)
    assert after != before
    assert weights(inventory) == after


def test_weights_are_looked_at_once_in_a_step_and_anew_in_the_next(bridge, inventory, monkeypatch):
    looks = []
    holds = type(inventory._list).holds
    monkeypatch.setattr(type(inventory._list), "holds", lambda self: looks.append(1) or holds(self))

    def steps():
        for _ in range(3):
            yield weights(inventory), weights(inventory)

    found = []
    for one, other in stepwise(inventory.at_once, steps()):
        assert one is other
        found.append(one)
        if len(found) == 2:
            edit_one_head_through_data(bridge)
    assert len(looks) == 4  # the end is a step too
    assert found[0] == found[1] != found[2]
    assert weights(inventory) == found[2]
    edit_a_bias_through_data(bridge)
    assert weights(inventory) != found[2]


@pytest.mark.parametrize("end", ["close", "fail"])
def test_what_ends_within_a_step_leaves_the_weights_looked_at(bridge, inventory, end):
    closed = []

    def steps():
        try:
            yield weights(inventory)
            raise ValueError(end)
        finally:
            closed.append(end)

    turns = stepwise(inventory.at_once, steps())
    before = next(turns)
    if end == "close":
        turns.close()
    else:
        with pytest.raises(ValueError, match=end):
            next(turns)
    assert closed == [end]
    edit_a_bias_through_data(bridge)
    assert weights(inventory) != before


def test_running_the_model_changes_nothing(bridge, inventory):
    before = weights(inventory)
    with torch.no_grad():
        bridge.run_with_cache(torch.tensor([[0, 259, 265]]))
    assert weights(inventory) == before
    assert hooks(inventory) == {}


def test_what_was_put_in_place_is_watched_from_then_on(bridge, inventory):
    bridge.blocks[0].mlp.original_component.c_fc = new = nn.Linear(2, 2).eval()
    before = weights(inventory)
    new.weight.data[:] = 0
    assert weights(inventory) != before
    new.register_forward_hook(lambda *_: None)
    (name,) = hooks(inventory)
    assert name.endswith("c_fc")
    new.train()
    inventory.refresh()
    assert inventory.is_training()


def test_a_view_that_became_a_parameter_of_its_own_is_sampled(bridge, inventory):
    query = bridge.blocks[0].attn.q.original_component.weight
    query.data = query.data.clone()
    before = weights(inventory)
    query.data[:] = 0
    assert weights(inventory) != before


def test_parameters_in_eight_bits_are_sampled(bridge, inventory):
    linear(bridge).weight = nn.Parameter(
        torch.ones(8, 8).to(torch.float8_e4m3fn), requires_grad=False
    )
    before = weights(inventory)
    linear(bridge).weight.data.view(torch.int8)[:] = 0
    assert weights(inventory) != before


def test_offloaded_parameters_are_none_of_the_weights(bridge, inventory):
    linear(bridge).weight = nn.Parameter(linear(bridge).weight.to("meta"))
    before = weights(inventory)
    linear(bridge).weight = nn.Parameter(linear(bridge).weight.to("meta"))
    assert weights(inventory) == before


def test_nothing_is_walked_while_nothing_was_put_in_anothers_place(inventory, monkeypatch):
    def walk(*_args, **_kwargs):
        raise AssertionError("walked")

    monkeypatch.setattr(nn.Module, "named_modules", walk)
    monkeypatch.setattr(nn.Module, "named_parameters", walk)
    inventory.refresh()
    inventory.weights()
    assert not inventory.is_training()
    assert inventory.hooks() == {}


@pytest.mark.parametrize(
    ("hook", "name"),
    [
        (lambda b: b.add_hook("blocks.0.mlp.hook_out", _watch), "blocks.0.mlp.hook_out"),
        (lambda b: b.add_perma_hook("hook_embed", _watch), "embed.hook_out"),
        (lambda b: b.register_forward_hook(_watch), "the bridge itself"),
        (lambda b: linear(b).register_forward_hook(_watch), "transformer.h.0.mlp.c_fc"),
        (lambda b: linear(b).register_forward_pre_hook(_watch), "transformer.h.0.mlp.c_fc"),
    ],
)
def test_hooks_have_names_and_ids_of_their_own(bridge, inventory, hook, name):
    hook(bridge)
    (first,) = hooks(inventory).items()
    assert first[0] == name
    hook(bridge)
    (second,) = hooks(inventory).items()
    assert second[1][:1] == first[1]
    assert len(second[1]) == 2


def _watch(*_args, **_kwargs):
    return None


def test_removed_hooks_are_gone_however_they_were_removed(bridge, inventory):
    handle = linear(bridge).register_forward_hook(_watch)
    assert hooks(inventory)
    handle.remove()
    assert not hooks(inventory)
    linear(bridge).register_forward_hook(_watch)
    assert hooks(inventory)
    linear(bridge)._forward_hooks = OrderedDict()  # a recipe that goes round
    assert not hooks(inventory)
    linear(bridge).register_forward_hook(_watch)
    assert hooks(inventory)


def test_own_hooks_hide_no_others(bridge, inventory):
    linear(bridge).register_forward_hook(_watch)
    with inventory.own_hooks():  # nobody had looked since
        linear(bridge).register_forward_hook(_watch).remove()
    assert hooks(inventory)


def test_backward_hooks_do_not_count(bridge, inventory):
    bridge.add_hook("blocks.0.hook_mlp_out", _watch, dir="bwd")
    assert not hooks(inventory)


def test_one_module_in_training_mode_is_enough(bridge, inventory):
    inventory.refresh()
    assert not inventory.is_training()
    bridge.blocks[1].mlp.original_component.dropout.train()
    inventory.refresh()
    assert inventory.is_training()

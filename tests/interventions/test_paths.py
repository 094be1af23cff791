"""Paths and self-repair of a model with interventions, against that model by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import REGISTRY
from headscope.analyses.rerun import request_of
from headscope.components import Component, parse_components
from headscope.errors import RequestError
from headscope.jobs.steps import drained
from headscope.model import LiveModel
from tests import models
from tests.analyses.test_left_as_found import state_of
from tests.analyses.test_path_patching import (
    EXACT,
    PAIR,
    metric_by_hand,
    rows_and_columns,
)
from tests.attribution.transcoders import random_transcoders

NONE = hs.Interventions()
OTHER = "the mat saw on the mat and the"
LISTS = {
    "head": NONE.zero("L1H2"),
    "mlp": NONE.scale("MLP1", 2.5),
    "stream": NONE.steer(1, hs.Vector([0.4, -0.3] * (models.D_MODEL // 2)), 3.0, positions=[2, -1]),
    "edge": NONE.knock_out("L1H0", None, 1).knock_out("L2", -1, 0),
    "inputs": NONE.zero("L2H1.q").scale("L1.v", 1.7).clamp("L1N3", 4.0),
    "streams": NONE.scale("L1.attn_out", 0.5).patch("L2.resid_pre", OTHER, [3]),
}


def paths(bridge: Any, changes: Any = None, **options: Any) -> Any:
    return hs.PathPatching(
        bridge, PAIR.clean, PAIR.corrupted, answer=PAIR.answer, wrong=PAIR.wrong,
        interventions=changes, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "freeze_mlps"), [(of, True) for of in LISTS] + [("mlp", False), ("edge", False)]
)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_paths_of_the_changed_model_equal_runs_by_hand(
    request: Any, name: str, freeze_mlps: bool, changes: str
) -> None:
    bridge = request.getfixturevalue(name)
    layout, seen = LiveModel.of(bridge).layout, 0
    options: dict[str, str]
    for options in ({"receivers": "L2H1.q, MLP2"}, {"sender": "L0H1"}):
        before = state_of(bridge)
        widget = paths(bridge, LISTS[changes], freeze_mlps=freeze_mlps, **options)
        grid = widget.effects["with"]
        assert state_of(bridge) == before
        with LISTS[changes].applied(bridge):
            for index, component in rows_and_columns(grid):
                if grid.states[index] != EXACT or sum(index) % 2:
                    continue
                this = layout.resolve(Component.parse(component))
                if "sender" in options:
                    senders, receivers = [Component.parse("L0H1")], [this]
                else:
                    given = [layout.resolve(r) for r in parse_components("L2H1.q MLP2")]
                    senders = [this]
                    receivers = [r for r in given if layout.reaches(this, r)]
                expected = metric_by_hand(bridge, senders, receivers, freeze_mlps=freeze_mlps)
                assert grid["metric"][index] == pytest.approx(expected, abs=2e-4), component
                seen += 1
        widget.close()
    assert seen > 12


def test_both_maps_are_there_and_cells_are_asked_of_the_one_that_is_shown(
    gpt2: Any, llama: Any
) -> None:
    for bridge in (gpt2, llama):
        before = state_of(bridge)
        plain = paths(bridge, sender="L0H1").run()
        changes = LISTS["head"] + LISTS["edge"] + LISTS["mlp"]
        widget = paths(bridge, changes, sender="L0H1")
        both = widget.effects
        np.testing.assert_allclose(both["without"]["effect"], plain["effect"], atol=1e-5)
        less = both["with"]["effect"] - both["without"]["effect"]
        np.testing.assert_allclose(both["difference"]["effect"], less, atol=1e-6)
        assert np.nanmax(np.abs(less)) > 1e-2
        at = np.unravel_index(np.nanargmax(np.abs(less)), less.shape)
        for effect in ("with", "without", "with"):
            widget.effect = effect  # type: ignore[assignment]
            assert widget.result is both[effect]  # type: ignore[index]
            found = widget.outcome(*map(int, at))
            assert found.exact == pytest.approx(float(widget.result["effect"][at]), abs=1e-4)
        widget.effect = "difference"
        with pytest.raises(RequestError, match="a difference is of two"):
            widget.outcome(*map(int, at))
        shown = both["with"].provenance
        with changes.applied(bridge):
            again = drained(REGISTRY["path_patching"].run(LiveModel.of(bridge), request_of(shown)))
        np.testing.assert_allclose(both["with"]["effect"], again["effect"], atol=1e-5)
        assert shown.interventions
        assert shown.user_hooks == ()
        assert any("from its tokens up" in note for note in shown.notes)
        assert state_of(bridge) == before
        off = paths(bridge, changes.changed(0, on=False).changed(1, on=False), sender="L0H1")
        off.interventions = NONE.zero("L1H2").changed(0, on=False)
        np.testing.assert_allclose(off.run()["effect"], plain["effect"], atol=1e-5)
        off.close()
        widget.close()


def test_moved_layers_are_refused_and_clamped_features_are_not(gpt2: Any) -> None:
    before = state_of(gpt2)
    for changes in (NONE.swap(0, 1), NONE.skip(1), NONE.repeat(2)):
        widget = paths(gpt2, changes)
        with pytest.raises(RequestError, match="paths need every layer once, in its own place"):
            widget.run()
        assert state_of(gpt2) == before
        widget.interventions = NONE
        assert widget.result.provenance.interventions == ()
        widget.close()
    transcoders = random_transcoders(models.N_LAYERS, models.D_MODEL, 40)
    clamped = NONE.clamp("L1F3", 2.0)
    widget = paths(gpt2, clamped, transcoders=transcoders, sender="L0H1")
    with clamped.applied(gpt2, transcoders):
        expected = metric_by_hand(gpt2, [Component.parse("L0H1")], [Component.parse("MLP2")])
    (index,) = (at for at, name in rows_and_columns(widget.run()) if name == "MLP2")
    assert widget.result["metric"][index] == pytest.approx(expected, abs=2e-4)
    widget.close()


@pytest.mark.parametrize(
    ("changes", "corrupted"),
    [(of, None) for of in LISTS if of != "streams"] + [("edge", PAIR.corrupted)],
)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_heads_are_ablated_on_top_of_interventions(
    request: Any, name: str, changes: str, corrupted: Any
) -> None:
    """Total and direct part of the model under hooks, which the parts add up to."""
    bridge, acting = request.getfixturevalue(name), LISTS[changes]
    before, live = state_of(bridge), LiveModel.of(bridge)
    widget = hs.SelfRepair(
        bridge, PAIR.clean, " cat", " dog", corrupted=corrupted, interventions=acting
    )
    both = widget.effects
    assert state_of(bridge) == before
    grid = both["with"]
    answer, wrong = live.token_id(" cat"), live.token_id(" dog")
    with acting.applied(bridge), torch.no_grad():
        ids = bridge.to_tokens(PAIR.clean)
        logits, own = bridge.run_with_cache(ids)
        _, theirs = bridge.run_with_cache(bridge.to_tokens(PAIR.corrupted))
        path = live.read_out()
        scale = path.scale(own["blocks.2.hook_resid_post"][0, -1])
        for row, label in enumerate(grid.axes[0].labels):
            layer, head = int(label[1]), int(label[3])
            z = f"blocks.{layer}.attn.hook_z"
            put = 0.0 if corrupted is None else theirs[z][0, :, head]
            wrote: list[torch.Tensor] = []

            def ablate(z: torch.Tensor, hook: Any, head: int = head, put: Any = put) -> Any:
                z = z.clone()
                z[0, :, head] = put
                return z

            def keep(x: torch.Tensor, hook: Any, wrote: Any = wrote) -> None:
                wrote.append(x[0, -1].clone())

            name_of_out = f"blocks.{layer}.hook_attn_out"
            changed = bridge.run_with_hooks(ids, fwd_hooks=[(z, ablate), (name_of_out, keep)])
            moved = (changed - logits)[0, -1]
            total = float(moved[answer] - moved[wrong])
            assert grid["change"][row, 0] == pytest.approx(total, abs=5e-5)
            direct = (wrote[0] - own[name_of_out][0, -1]) @ path.direction(answer, wrong) / scale
            assert grid["change"][row, 1] == pytest.approx(float(direct), abs=5e-5)
    parts = np.nansum(grid["change"][:, 1:], 1)
    np.testing.assert_allclose(parts, grid["change"][:, 0], atol=5e-5)
    plain = hs.SelfRepair(bridge, PAIR.clean, " cat", " dog", corrupted=corrupted).run()
    np.testing.assert_allclose(both["without"]["change"], plain["change"], atol=1e-6)
    assert "difference" in both["difference"].title
    widget.close()


def test_self_repair_that_cannot_add_up_is_refused(gpt2: Any) -> None:
    before = state_of(gpt2)
    for changes in (NONE.swap(0, 1), NONE.scale("L1.resid_mid", 2.0), NONE.skip(0)):
        widget = hs.SelfRepair(gpt2, PAIR.clean, " cat", interventions=changes)
        with pytest.raises(RequestError, match="self-repair needs layers in their places"):
            widget.run()
        assert state_of(gpt2) == before
        widget.close()

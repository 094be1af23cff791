"""Edges by hand: one reader's view at a time, with plain hooks. What all else must equal."""

from __future__ import annotations

import torch

from headscope.components import Component


def index(components, node):
    """Where TransformerLens's node is among our components."""
    kind, _, rest = node.kind.partition("_")
    if kind in ("embed", "logits"):
        return components.index(Component(kind))
    if kind == "mlp":
        return components.index(Component("mlp", node.layer))
    letter = None if kind == "attn" else kind
    assert rest == ("head_out" if letter is None else "input")
    return components.index(Component("head", node.layer, node.head, input=letter))


def look(bridge, ids, names, hooks=()):
    """What is at each of the hooks `names`, without the batch axis, in a run with `hooks`."""
    seen = {}

    def keeper(name):
        return name, lambda x, hook: seen.__setitem__(name, x[0].clone())

    run(bridge, ids, [*hooks, *map(keeper, names)])
    return [seen[name] for name in names]


def seen_by_each(bridge, ids, name, values, names):
    """What is at each of the hooks `names` in runs with `values` `[run, position, d]` at `name`."""
    seen = {}
    hooks = [(name, lambda x, hook: values.clone())]
    hooks += [(one, lambda x, hook, one=one: seen.__setitem__(one, x.clone())) for one in names]
    with torch.no_grad():
        bridge.run_with_hooks(torch.tensor([ids] * len(values)), fwd_hooks=hooks)
    return [seen[one] for one in names]


def run(bridge, ids, hooks=()):
    """Logits `[position, d_vocab]` of one run with hooks."""
    with torch.no_grad():
        return bridge.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks)[0]


def putting(units):
    """A hook that puts values `[position, d_head]` in the place of some heads'."""

    def put(x, hook):
        x = x.clone()
        for unit, value in units:
            x[:, :, unit] = value
        return x

    return put


def heads_of(reader):
    """The index of a reader among the heads of its letter."""
    return reader.head if reader.kv_head is None else reader.kv_head


def view_changed(wiring, ids, reader, step):
    """Logits of a run in which one reader alone reads the stream moved by `step`."""
    bridge, layer = wiring.bridge, reader.layer

    def move(x, hook):
        return x + step

    if reader.kind == "logits":
        last = wiring.map.layout.n_layers - 1
        return run(bridge, ids, [(f"blocks.{last}.hook_resid_post", move)])
    if reader.kind == "neuron":
        names = factors(wiring, layer)
        moved = look(bridge, ids, names, [(f"blocks.{layer}.ln2.hook_in", move)])
        parts = [[(reader.neuron, one[:, reader.neuron])] for one in moved]
        return run(bridge, ids, list(zip(names, map(putting, parts), strict=True)))
    if reader.kind == "mlp":
        return run(bridge, ids, [(f"blocks.{layer}.ln2.hook_in", move)])
    name = f"blocks.{layer}.attn.hook_{reader.input}"
    # What the whole block's heads make of the moved stream has that reader's part in it.
    (moved,) = look(bridge, ids, [name], [(f"blocks.{layer}.ln1.hook_in", move)])
    unit = heads_of(reader)
    return run(bridge, ids, [(name, putting([(unit, moved[:, unit])]))])


def factors(wiring, layer):
    """Hooks of what a layer's neurons read."""
    gated = hasattr(wiring.bridge.blocks[layer].mlp, "gate")
    return [f"blocks.{layer}.mlp.{name}" for name in ("hook_pre", "hook_pre_linear")[: 1 + gated]]


def neuron_outputs(bridge, layer, activation):
    """What each neuron adds to the stream, of activations `[position, neuron]`."""
    block = bridge.blocks[layer]
    each = activation.T[..., None] * block.mlp.W_out.detach()[:, None]
    if "ln2_post" not in dict(block.named_children()):
        return list(each)
    eps = block.ln2_post.original_component.eps
    total = each.sum(0)
    gain = (1 + block.ln2_post.weight.detach()) / (total.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return list(each * gain)


def head_outputs(bridge, layer, z):
    """What each head adds to the stream, of `z` `[position, head, d_head]`."""
    block = bridge.blocks[layer]
    each = [z[:, head] @ block.attn.W_O[head].detach() for head in range(z.shape[1])]
    if "ln1_post" not in dict(block.named_children()):
        return each
    total = sum(each)
    eps = block.ln1_post.original_component.eps
    gain = (1 + block.ln1_post.weight.detach()) / (total.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return [one * gain for one in each]


def plain_run(bridge, ids, neurons=()):
    """What every writer writes, `[writer, position, d_model]`, and what else each block adds.

    In the layers `neurons` they write in the MLP's place.
    """
    blocks = [f"blocks.{layer}." for layer in range(bridge.cfg.n_layers)]
    names = [
        at + name for at in blocks
        for name in ("attn.hook_z", "hook_attn_out", "hook_mlp_out", "mlp.hook_post")
    ]  # fmt: skip
    *parts, end = look(bridge, ids, [*names, f"{blocks[-1]}hook_resid_post"])
    streams = [*look(bridge, ids, [f"{at}hook_resid_pre" for at in blocks]), end]
    found, constants = [streams[0]], []
    for layer in range(bridge.cfg.n_layers):
        z, attention, mlp, post = parts[4 * layer : 4 * layer + 4]
        heads = head_outputs(bridge, layer, z)
        own = neuron_outputs(bridge, layer, post) if layer in neurons else [mlp]
        found += [*heads, *own]
        behind = streams[layer + 1] - streams[layer] - attention  # with what is steered there
        constants.append((attention - sum(heads), behind - sum(own)))
    return torch.stack(found), constants


def circuit(wiring, ids, kept, ablated):
    """The last stream of a circuit, `[position, d_model]`.

    Reader after reader, each with runs of the model's own modules on that reader's view.

    Args:
        wiring: For its writers and readers.
        ids: The prompt.
        kept: bool `[writer, reader]`.
        ablated: What writers are ablated to, `[writer, position, d_model]`.
    """
    bridge, edges = wiring.bridge, wiring.whole
    plain, constants = plain_run(bridge, ids, edges.neurons)
    found = [plain[0]]

    def view(reader):
        column = edges.readers.index(reader)
        after_attention = reader.kind in ("mlp", "neuron") and not edges.layout.parallel
        layers = len(constants) if reader.layer is None else reader.layer
        stream = sum((part for both in constants[:layers] for part in both), 0 * plain[0])
        stream = stream + constants[layers][0] if after_attention else stream
        for w in range(len(edges.writers)):
            if edges.possible[w, column]:
                stream = stream + (found[w] if kept[w, column] else ablated[w])
        return stream

    def seeing(name, stream):
        return name, lambda x, hook: stream[None].clone()

    for layer in range(edges.layout.n_layers):
        at = f"blocks.{layer}."
        hooks = []
        for letter in "qkv":
            name, units = f"{at}attn.hook_{letter}", []
            for reader in edges.readers:
                if (reader.kind, reader.layer, reader.input) == ("head", layer, letter):
                    sees = seeing(f"{at}ln1.hook_in", view(reader))
                    (own,) = look(bridge, ids, [name], [sees])
                    units.append((heads_of(reader), own[:, heads_of(reader)]))
            hooks.append((name, putting(units)))
        (z,) = look(bridge, ids, [f"{at}attn.hook_z"], hooks)
        found += head_outputs(bridge, layer, z)
        name = f"{at}ln2.hook_in"
        if layer in edges.neurons:
            units = range(edges.neurons[layer])
            each = torch.stack([view(Component("neuron", layer, neuron=i)) for i in units])
            names, hooks = factors(wiring, layer), []
            for factor, seen in zip(
                names, seen_by_each(bridge, ids, name, each, names), strict=True
            ):
                hooks.append((factor, putting([(i, seen[i, :, i]) for i in units])))
            (post,) = look(bridge, ids, [f"{at}mlp.hook_post"], hooks)
            found += neuron_outputs(bridge, layer, post)
            continue
        sees = seeing(name, view(Component("mlp", layer)))
        found += look(bridge, ids, [f"{at}hook_mlp_out"], [sees])
    return view(Component("logits"))

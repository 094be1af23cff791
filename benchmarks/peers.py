"""The peers' pages for `[layer, head, dest, src]` patterns, as a notebook would get them."""

from __future__ import annotations


def circuitsvis_html(patterns) -> str:
    """`attention_heads` of every head, with its own script: nothing is fetched."""
    from circuitsvis.attention import attention_heads

    n_layers, n_heads, n_tokens, _ = patterns.shape
    names = [f"L{layer}H{head}" for layer in range(n_layers) for head in range(n_heads)]
    heads = patterns.reshape(-1, n_tokens, n_tokens)
    return attention_heads(heads, _tokens(n_tokens), attention_head_names=names).local_src


def bertviz_html(patterns) -> str:
    """`model_view` of every head; its scripts come from a network when it is shown."""
    from bertviz import model_view

    attention = [layer[None] for layer in patterns]
    return model_view(attention, _tokens(patterns.shape[-1]), html_action="return").data


def _tokens(n: int) -> list[str]:
    return [f" t{i}" for i in range(n)]

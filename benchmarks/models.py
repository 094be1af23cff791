"""A model of GPT-2 small's shape with random weights: its cost is real, its predictions are not."""

from __future__ import annotations

import re
import time

import headscope as hs

LAYERS = 12


def gpt2_small(layers: int = LAYERS):
    """12 layers or fewer, 12 heads, d_model 768, vocabulary 50,257, 1,024 positions, float32."""
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = GPT2LMHeadModel(GPT2Config(n_layer=layers)).eval()
    tokenizer = AutoTokenizer.from_pretrained(hs.demo.MODEL_DIR)
    return TransformerBridge.boot_transformers(
        "gpt2-small-shape", hf_model=network, tokenizer=tokenizer, device="cpu"
    )


def token_ids(n: int, shift: int = 0) -> list[int]:
    """`n` ids, the second half repeating the first; another `shift`, other ids."""
    half = [(7 * i + shift) % 500 + 10 for i in range(max(1, n // 2))]
    return (half + half)[:n]


def words(model, n: int) -> list[str]:
    """`n` words that are one token each, also after one another."""
    spelt = (model.tokenizer.decode([i]) for i in range(len(model.tokenizer)))
    return [text for text in spelt if re.fullmatch(r" [a-z]{3,}", text)][:n]


def forward_s(model, ids: list[int], runs: int = 2) -> float:
    """Seconds of the bare forward pass, unembedding the last position only: the best of `runs`."""
    import torch

    last = [("unembed.hook_in", lambda stream, hook: stream[:, -1:])]
    best = float("inf")
    with torch.no_grad():
        for _ in range(runs):
            start = time.perf_counter()
            model.run_with_hooks(torch.tensor([ids]), fwd_hooks=last)
            best = min(best, time.perf_counter() - start)
    return best


def patterns(model, ids: list[int], layers: int = LAYERS):
    """What the peers are given: `[layer, head, dest, src]`, float32."""
    import torch

    with torch.no_grad():
        _, cache = model.run_with_cache(
            torch.tensor([ids]),
            names_filter=lambda name: name.endswith("hook_pattern"),
            stop_at_layer=layers if layers < model.cfg.n_layers else None,
        )
    return torch.stack([cache[f"blocks.{i}.attn.hook_pattern"][0] for i in range(layers)])

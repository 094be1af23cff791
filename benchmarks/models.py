"""A model of GPT-2 small's shape with random weights: its cost is real, its predictions are not."""

from __future__ import annotations

import headscope as hs


def gpt2_small():  # noqa: ANN201
    """12 layers, 12 heads, d_model 768, vocabulary 50,257, 1,024 positions, float32."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel
    from transformer_lens.model_bridge import TransformerBridge

    torch.manual_seed(0)
    network = GPT2LMHeadModel(GPT2Config()).eval()
    tokenizer = AutoTokenizer.from_pretrained(hs.demo.MODEL_DIR)
    return TransformerBridge.boot_transformers(
        "gpt2-small-shape", hf_model=network, tokenizer=tokenizer, device="cpu"
    )


def token_ids(n: int) -> list[int]:
    """`n` ids, the second half repeating the first: every head has something to look at."""
    half = [(7 * i) % 500 + 10 for i in range(max(1, n // 2))]
    return (half + half + half)[:n]

"""Tiny untrained models of several families and their tokenizer, built offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

BOS = "<|endoftext|>"
N_LAYERS, N_HEADS, N_CTX, D_MODEL, D_VOCAB = 3, 4, 64, 32, 332
#: Single tokens of the tokenizer, with their leading space.
WORDS = (" the", " cat", " dog", " sat", " saw", " on", " mat")
PROMPT = "the cat sat on the mat the cat"

_CORPUS = ["the cat sat on the mat and the dog saw the cat on the mat"] * 20


def save_tokenizer(path: Path) -> Any:
    """A byte-level BPE tokenizer with `D_VOCAB` tokens, saved at `path` and read back."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=D_VOCAB,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[BOS],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=BOS, pad_token=BOS
    ).save_pretrained(path)
    return AutoTokenizer.from_pretrained(path)


def hf_gpt2(seed: int = 0, **overrides: Any) -> GPT2LMHeadModel:
    """LayerNorm, learned positions, biases; weights large enough that attention is not uniform."""
    config = {
        "n_layer": N_LAYERS,
        "n_head": N_HEADS,
        "n_embd": D_MODEL,
        "n_positions": N_CTX,
        "vocab_size": D_VOCAB,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "initializer_range": 0.2,
    }
    torch.manual_seed(seed)
    return _with_biases(GPT2LMHeadModel(GPT2Config(**config | overrides)))


def hf_llama(seed: int = 0, **overrides: Any) -> LlamaForCausalLM:
    """RMSNorm, rotary positions, gated MLP, 4 query heads on 2 key-value heads."""
    config = {
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": N_HEADS,
        "num_key_value_heads": N_HEADS // 2,
        "hidden_size": D_MODEL,
        "intermediate_size": 2 * D_MODEL,
        "max_position_embeddings": N_CTX,
        "vocab_size": D_VOCAB,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "initializer_range": 0.2,
        "tie_word_embeddings": False,
    }
    torch.manual_seed(seed)
    return _with_biases(LlamaForCausalLM(LlamaConfig(**config | overrides)))


def hf_neox(seed: int = 0) -> GPTNeoXForCausalLM:
    """Attention and MLP side by side on the same stream (parallel blocks), partly rotary."""
    config = GPTNeoXConfig(
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        hidden_size=D_MODEL,
        intermediate_size=2 * D_MODEL,
        max_position_embeddings=N_CTX,
        vocab_size=D_VOCAB,
        initializer_range=0.2,
    )
    torch.manual_seed(seed)
    return _with_biases(GPTNeoXForCausalLM(config))


def hf_gemma2(seed: int = 0) -> Gemma2ForCausalLM:
    """Norms after attention and MLP too, norm gains stored less 1, soft-capped logits."""
    config = Gemma2Config(
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        num_key_value_heads=N_HEADS // 2,
        head_dim=D_MODEL // N_HEADS,
        hidden_size=D_MODEL,
        intermediate_size=2 * D_MODEL,
        max_position_embeddings=N_CTX,
        vocab_size=D_VOCAB,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        initializer_range=0.2,
        final_logit_softcapping=2.0,
    )
    torch.manual_seed(seed)
    return _with_biases(Gemma2ForCausalLM(config))


def hf_bert(seed: int = 0) -> BertForMaskedLM:
    """An encoder: every position attends to every other, and a head of its own makes the logits."""
    config = BertConfig(
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        hidden_size=D_MODEL,
        intermediate_size=2 * D_MODEL,
        max_position_embeddings=N_CTX,
        vocab_size=D_VOCAB,
        initializer_range=0.2,
    )
    torch.manual_seed(seed)
    return _with_biases(BertForMaskedLM(config))


def hf_mistral(seed: int = 0, window: int = 8) -> MistralForCausalLM:
    """A Llama whose layers attend to the last `window` positions only."""
    config = MistralConfig(
        num_hidden_layers=N_LAYERS,
        num_attention_heads=N_HEADS,
        num_key_value_heads=N_HEADS // 2,
        hidden_size=D_MODEL,
        intermediate_size=2 * D_MODEL,
        max_position_embeddings=N_CTX,
        vocab_size=D_VOCAB,
        bos_token_id=0,
        eos_token_id=0,
        sliding_window=window,
        initializer_range=0.2,
    )
    torch.manual_seed(seed)
    return _with_biases(MistralForCausalLM(config))


def _with_biases(model: Any) -> Any:
    """Untrained biases are 0 and norm weights 1, which would hide mistakes: move them."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter) * (1 if "bias" in name else 0.5))
    return model.eval()


def bridge(
    hf: Any,
    tokenizer: Any,
    *,
    name: str = "tiny",
    dtype: torch.dtype = torch.float32,
    compatibility: bool = False,
) -> Any:
    """A `TransformerBridge` around `hf` on the CPU, with processed weights where asked for."""
    from transformer_lens.model_bridge import TransformerBridge

    built = TransformerBridge.boot_transformers(
        name, hf_model=hf.to(dtype), tokenizer=tokenizer, device="cpu", dtype=dtype
    )
    if compatibility:
        built.enable_compatibility_mode(disable_warnings=True)
    return built

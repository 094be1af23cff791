"""What the embedded model's circuits are, measured, so that nobody has to take a caption on trust.

Patching puts an activation of the clean run into the corrupted one; what it recovers is 1 for the
clean logit difference and 0 for the corrupted one. Mean-ablating a head replaces what it hands to
the output projection by its mean. Every case is held out of training.
"""

from __future__ import annotations

from typing import Any

from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from headscope.demo.circuits import heads, ioi, two_hop


def find(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The heads of induction, and the paths of the two names and the two hops: plain numbers."""
    return {
        "induction": heads.measure(model, tokenizer),
        "ioi": ioi.measure(model, tokenizer),
        "two_hop": two_hop.measure(model, tokenizer),
    }


def describe(found: dict[str, Any]) -> str:
    """The findings in sentences."""
    told = (heads.describe(found["induction"]), ioi.describe(found["ioi"]))
    return "\n\n".join((*told, two_hop.describe(found["two_hop"])))

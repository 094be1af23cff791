"""The adapter to TransformerLens: the only package that knows it.

A `TransformerBridge` goes in and is left exactly as it was: no hook, flag, gradient, mode or weight
of the user's is touched. `transformer_lens` itself is imported when a model is first used.
"""

from headscope.model.capabilities import Capabilities
from headscope.model.live import LiveModel
from headscope.model.loading import load

__all__ = ["Capabilities", "LiveModel", "load"]

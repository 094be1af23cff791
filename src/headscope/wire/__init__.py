"""The wire: a result kind as one JSON header plus binary buffers, and back."""

from headscope.wire.codec import VERSION, Payload, decode, encode

__all__ = ["VERSION", "Payload", "decode", "encode"]

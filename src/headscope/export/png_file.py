"""PNG files: packed tighter, and with a text of ours."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HARD = 9
#: Numbers per pixel, by PNG's colour type.
_CHANNELS = {2: 3, 6: 4}
_INDEXED = 3
#: PNG's filter of rows whose numbers are differences from the pixel before.
_FROM_THE_LEFT = 1


def smaller(data: bytes) -> bytes:
    """The same picture in fewer bytes: converters pack for speed."""
    kept, pixels = [], b""
    for kind, body in _chunks(data):
        if kind == b"IDAT":
            pixels += body
        else:
            kept.append((kind, body))
    kept.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(pixels), _HARD)))
    return _SIGNATURE + b"".join(_chunk(kind, body) for kind, body in kept)


def indexed(data: bytes) -> bytes:
    """The same picture in its 256 most frequent colours: a third of the bytes.

    Areas keep their colours exactly; what is rare, such as the edges of letters, takes the nearest.

    Args:
        data: A file of a converter's. Of one that is not 8 bits for each of red, green, blue and
            perhaps opacity, each row as it is or as differences from the left, the picture is only
            packed tighter.
    """
    chunks = list(_chunks(data))
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if kind not in _CHANNELS or bits != 8 or interlaced:
        return smaller(data)
    channels = _CHANNELS[kind]
    packed = b"".join(body for name, body in chunks if name == b"IDAT")
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    if rows[:, 0].max() > _FROM_THE_LEFT:
        return smaller(data)
    pixels = rows[:, 1:].reshape(height, width, channels)
    summed = np.cumsum(pixels, axis=1, dtype=np.uint8)
    pixels = np.where(rows[:, :1, None] == _FROM_THE_LEFT, summed, pixels)[..., :3]
    colours, which, counts = np.unique(
        pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    palette = colours[np.argsort(-counts, kind="stable")[:256]]
    near = np.concatenate([_nearest(part, palette) for part in np.array_split(colours, 16)])
    indices = np.pad(near[which.reshape(height, width)], ((0, 0), (1, 0)))
    header = struct.pack(">IIBBBBB", width, height, 8, _INDEXED, 0, 0, 0)
    parts = (
        (b"IHDR", header), (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(indices.tobytes(), _HARD)), (b"IEND", b""),
    )  # fmt: skip
    return _SIGNATURE + b"".join(_chunk(name, body) for name, body in parts)


def _nearest(colours: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    apart = colours[:, None].astype(np.int32) - palette
    nearest: npt.NDArray[Any] = (apart**2).sum(axis=2).argmin(axis=1).astype(np.uint8)
    return nearest


def with_text(data: bytes, text: str, keyword: str = "headscope") -> bytes:
    """The picture with an international text chunk behind its header."""
    header, *rest = _chunks(data)
    note = (b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode())
    return _SIGNATURE + b"".join(_chunk(kind, body) for kind, body in (header, note, *rest))


def text_of(data: bytes, keyword: str = "headscope") -> str | None:
    """The text that `with_text` wrote; None if there is none."""
    for kind, body in _chunks(data):
        name, _, rest = body.partition(b"\0")
        if kind == b"iTXt" and name == keyword.encode("latin-1"):
            return rest[4:].decode()
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

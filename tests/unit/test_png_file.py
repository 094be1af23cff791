"""PNG files with a palette, decoded again by hand."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from headscope.export import png_file


def written(pixels: np.ndarray) -> bytes:
    """As converters write it: every other row as differences from the left."""
    height, width, channels = pixels.shape
    rows = []
    for at, row in enumerate(pixels):
        before = np.concatenate([np.zeros((1, channels), np.uint8), row[:-1]])
        filtered = row - before if at % 2 else row
        rows.append(bytes([at % 2]) + filtered.tobytes())
    header = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return png_file._SIGNATURE + b"".join(png_file._chunk(*part) for part in parts)


def test_frequent_colours_stay_and_rare_ones_take_the_nearest() -> None:
    rng = np.random.default_rng(0)
    often = rng.integers(0, 256, (200, 4), dtype=np.uint8)
    pixels = often[rng.integers(0, 200, (60, 50))]
    pixels[0, :, :3] = rng.integers(0, 256, (50, 3))  # colours that occur once, and are kept
    rare = rng.integers(0, 256, (50, 3))  # and 50 more than there is room for
    pixels[1, :, :3] = rare
    chunks = dict(png_file._chunks(png_file.indexed(written(pixels))))
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    assert len(palette) == 256
    indices = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(60, 51)[:, 1:]
    shown = palette[indices]
    np.testing.assert_array_equal(shown[2:], pixels[2:, :, :3])
    apart = np.abs(pixels[:2, :, None, :3].astype(int) - palette).astype(float)
    best = (apart**2).sum(-1).min(-1)
    np.testing.assert_allclose(((shown[:2].astype(int) - pixels[:2, :, :3]) ** 2).sum(-1), best)


def test_what_it_cannot_read_is_only_packed_tighter() -> None:
    """A filter that it does not know: the picture stays what it was."""
    header = struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)
    rows = b"".join(bytes([4]) + bytes(range(9)) for _ in range(2))
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    data = png_file._SIGNATURE + b"".join(png_file._chunk(*part) for part in parts)
    chunks = dict(png_file._chunks(png_file.indexed(data)))
    assert zlib.decompress(chunks[b"IDAT"]) == rows


def test_a_converters_file_keeps_its_picture() -> None:
    """One colour left, one right: what the converter writes today is read."""
    import vl_convert

    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">'
        '<rect width="20" height="20" fill="#ff0000"/>'
        '<rect x="20" width="20" height="20" fill="#0000ff"/></svg>'
    )
    chunks = dict(png_file._chunks(png_file.indexed(vl_convert.svg_to_png(svg, ppi=72))))
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    shown = palette[
        np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(20, 41)[:, 1:]
    ]
    assert (shown[:, :20] == (255, 0, 0)).all()
    assert (shown[:, 20:] == (0, 0, 255)).all()

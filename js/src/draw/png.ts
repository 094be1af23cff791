// A PNG file from pixels, without a canvas and the same on every machine: for images inside an SVG.
// The pixels are stored, not compressed (DEFLATE's stored blocks).
import { toBase64 } from "../wire/base64";

const STORED_MAX = 65535;

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (CRC[(c ^ byte) & 255] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(body, 8);
  view.setUint32(body.length + 8, crc32(bytes.subarray(4, body.length + 8)));
  return bytes;
}

function stored(raw: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(raw.length / STORED_MAX));
  const bytes = new Uint8Array(2 + blocks * 5 + raw.length + 4);
  const view = new DataView(bytes.buffer);
  bytes.set([0x78, 0x01]);
  let at = 2;
  for (let block = 0; block < blocks; block++) {
    const part = raw.subarray(block * STORED_MAX, (block + 1) * STORED_MAX);
    bytes[at] = block === blocks - 1 ? 1 : 0;
    view.setUint16(at + 1, part.length, true);
    view.setUint16(at + 3, ~part.length & 0xffff, true);
    bytes.set(part, at + 5);
    at += 5 + part.length;
  }
  view.setUint32(at, adler32(raw));
  return bytes;
}

/** `rgba` (opaque, columns * rows * 4 bytes) as the bytes of an RGB PNG. */
export function encodePng(rgba: Uint8ClampedArray, columns: number, rows: number): Uint8Array {
  const raw = new Uint8Array(rows * (1 + columns * 3));
  let to = 0;
  for (let row = 0; row < rows; row++) {
    to += 1; // filter type 0: none
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * 4;
      for (let channel = 0; channel < 3; channel++) raw[to++] = rgba[from + channel] ?? 0;
    }
  }
  const size = new Uint8Array(13);
  const view = new DataView(size.buffer);
  view.setUint32(0, columns);
  view.setUint32(4, rows);
  size.set([8, 2], 8); // 8 bits a channel, RGB
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", size),
    chunk("IDAT", stored(raw)),
    chunk("IEND", new Uint8Array(0)),
  ];
  const png = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    png.set(part, at);
    at += part.length;
  }
  return png;
}

/** Of the signature and the header chunk, which comes first in any PNG. */
const HEAD = 33;

/** The picture with a text of its own: an international text chunk behind its header. */
export function withText(png: Uint8Array, keyword: string, text: string): Uint8Array<ArrayBuffer> {
  const note = chunk("iTXt", new TextEncoder().encode(`${keyword}\0\0\0\0\0${text}`));
  const bytes = new Uint8Array(png.length + note.length);
  bytes.set(png.subarray(0, HEAD));
  bytes.set(note, HEAD);
  bytes.set(png.subarray(HEAD), HEAD + note.length);
  return bytes;
}

export const pngUrl = (rgba: Uint8ClampedArray, columns: number, rows: number): string =>
  `data:image/png;base64,${toBase64(encodePng(rgba, columns, rows))}`;

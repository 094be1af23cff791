// Bytes as text. Written out: figures are also drawn where there is no browser and no `btoa`.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = new Uint8Array(128);
for (let i = 0; i < DIGITS.length; i++) VALUES[DIGITS.charCodeAt(i)] = i;

export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const bits = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    parts.push(
      `${DIGITS[bits >> 18]}${DIGITS[(bits >> 12) & 63]}` +
        `${left > 1 ? DIGITS[(bits >> 6) & 63] : "="}${left > 2 ? DIGITS[bits & 63] : "="}`,
    );
  }
  return parts.join("");
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  const value = (i: number): number => VALUES[text.charCodeAt(i)] ?? 0;
  for (let i = 0, at = 0; i < text.length; i += 4) {
    const bits = (value(i) << 18) | (value(i + 1) << 12) | (value(i + 2) << 6) | value(i + 3);
    for (const shift of [16, 8, 0]) if (at < bytes.length) bytes[at++] = (bits >> shift) & 255;
  }
  return bytes;
}

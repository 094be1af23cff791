import { expect, test } from "vitest";
import { float16ToFloat32 } from "../../src/wire/float16";

const KNOWN: [number, number][] = [
  [0x0000, 0],
  [0x8000, -0],
  [0x3c00, 1],
  [0xc000, -2],
  [0x3555, 0.333251953125],
  [0x0001, 2 ** -24],
  [0x03ff, 1023 * 2 ** -24],
  [0x0400, 2 ** -14],
  [0x7bff, 65504],
  [0x7c00, Number.POSITIVE_INFINITY],
  [0xfc00, Number.NEGATIVE_INFINITY],
  [0x7e00, Number.NaN],
];

test.each(KNOWN)("0x%s", (bits, value) => {
  expect(float16ToFloat32(Uint16Array.of(bits))[0]).toBe(value);
});

test("finite values rise with their bits, by steps that double with the exponent", () => {
  const bits = Uint16Array.from({ length: 0x7c00 }, (_, i) => i);
  const values = float16ToFloat32(bits);
  for (let i = 1; i < values.length; i++) {
    const step = 2 ** (Math.max((i - 1) >> 10, 1) - 25);
    expect((values[i] as number) - (values[i - 1] as number)).toBe(step);
  }
});

import { describe, expect, test } from "vitest";
import { tokenGlyphs } from "../../src/state/tokens";

describe("what is invisible is shown", () => {
  test.each([
    [" the", "·the"],
    ["the ", "the·"],
    [" San Antonio", "·San Antonio"],
    ["a  b", "a··b"],
    ["   ", "···"],
    ["\n\n", "⏎⏎"],
    ["\r\n", "␍⏎"],
    ["\tx", "⇥x"],
    ["a \n b", "a·⏎·b"],
    ["", "∅"],
    ["\u00a0", "⍽"],
    ["\u0000", "\\u0000"],
    ["\u001b[31m", "\\u001b[31m"],
    ["\u007f\u0085", "\\u007f\\u0085"],
    ["\u200b", "\\u200b"],
    ["\u202efdp.exe", "\\u202efdp.exe"],
    ["a\u2066b\u2069", "a\\u2066b\\u2069"],
    ["\ufeff\u00ad", "\\ufeff\\u00ad"],
    ["\u2028", "\\u2028"],
    ["\u3164", "\\u3164"],
    ["\u{e0041}", "\\u{e0041}"],
    ["\ud800x", "\\ud800x"],
    ["\ufffd", "\ufffd"],
    ["\u0301", "◌\u0301"],
    ["e\u0301", "e\u0301"],
    ["日本", "日本"],
    ["<b>&amp;</b>", "<b>&amp;</b>"],
  ])("%j is %j", (text, shown) => expect(tokenGlyphs(text)).toBe(shown));
});

test("no character of any plane is drawn invisibly", () => {
  const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Zs}]|\p{Default_Ignorable_Code_Point}/u;
  for (let code = 0; code <= 0x10ffff; code++) {
    const glyphs = tokenGlyphs(String.fromCodePoint(code));
    if (glyphs === "" || invisible.test(glyphs)) expect.fail(`U+${code.toString(16)}: "${glyphs}"`);
  }
});

test("the middle of a long token is left out", () => {
  const text = "a".repeat(30) + "b".repeat(30);
  expect(tokenGlyphs(text)).toBe(`${"a".repeat(12)}…${"b".repeat(11)}`);
  expect(tokenGlyphs("x".repeat(24))).toBe("x".repeat(24));
  expect(tokenGlyphs(text, Number.POSITIVE_INFINITY)).toBe(text);
  expect(tokenGlyphs("\u200b".repeat(30), 5)).toBe("\\u200b\\u200b…\\u200b\\u200b");
});

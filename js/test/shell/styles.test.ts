import { expect, test } from "vitest";
import { contrast, rgbFromHex } from "../../src/draw/oklab";
import { shellCss } from "../../src/shell/styles";

/** Text on the ground it stands on. WCAG AA for small text. */
const AA = 4.5;
const PAIRS: [string, string[]][] = [
  ["ink", ["bg", "field", "subtle", "line", "error-bg"]],
  ["muted", ["bg", "field", "subtle"]],
  ["accent", ["bg", "field", "accent-bg"]],
  ["error", ["bg", "error-bg"]],
  ["warn", ["bg"]],
];
/** What only has to be made out: outlines, marks. WCAG 1.4.11. */
const VISIBLE = 3;

test.each(["light", "dark"])("contrast of the %s theme", (theme) => {
  const block = shellCss.split(`[data-theme="${theme}"] {`)[1]?.split("}")[0] ?? "";
  const colour = (name: string): string =>
    block.match(new RegExp(`--hs-${name}: (?:var\\([^,]*, )?(#[0-9a-f]{6})`))?.[1] ?? name;
  const between = (a: string, b: string): number =>
    contrast(rgbFromHex(colour(a)), rgbFromHex(colour(b)));
  for (const [text, grounds] of PAIRS) {
    for (const ground of grounds) {
      expect(between(text, ground), `${text} on ${ground}`).toBeGreaterThanOrEqual(AA);
    }
  }
  expect(between("focus", "bg")).toBeGreaterThanOrEqual(VISIBLE);
  expect(between("pin", "bg")).toBeGreaterThanOrEqual(VISIBLE);
});

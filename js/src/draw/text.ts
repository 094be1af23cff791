// Text in a drawing: fonts, widths, shortening, numbers. Widths are computed, not measured, so a
// layout is the same on the screen, in a file and in a test.

export const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
export const MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace';

/** Advance of one character, in font sizes. The sans figure is a mean over running text. */
const ADVANCE = { mono: 0.602, sans: 0.54 };

/** A reader's font may be so many times as wide as the one that widths are reckoned by. */
export const WIDER = 1.1;

/** East Asian wide characters and emoji take two columns of a fixed-width font. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

const columns = (character: string): number => (WIDE.test(character) ? 2 : 1);

export function textWidth(text: string, size: number, mono = true): number {
  let total = 0;
  for (const character of text) total += columns(character);
  return total * size * (mono ? ADVANCE.mono : ADVANCE.sans);
}

/** `text`, or as many of its first characters as fit into `width` followed by an ellipsis; empty if
 * not even one character and the ellipsis fit. */
export function fitText(text: string, width: number, size: number, mono = true): string {
  if (textWidth(text, size, mono) <= width) return text;
  const room = width / (size * (mono ? ADVANCE.mono : ADVANCE.sans)) - 1;
  let used = 0;
  let kept = "";
  for (const character of text) {
    used += columns(character);
    if (used > room) break;
    kept += character;
  }
  return kept ? `${kept}…` : "";
}

/** A number with `digits` significant digits (but all of its whole ones), a true minus sign, and no
 * more zeros than it needs. */
export function formatNumber(value: number, digits = 3): string {
  if (Number.isNaN(value)) return "n/a";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  let text: string;
  if (size === 0) text = "0";
  else if (Number.isInteger(value) && size < 1e6) text = String(size);
  else if (size >= 10 ** (digits - 1) && size < 1e6) text = size.toFixed(0);
  else if (size >= 1e-3 && size < 1e6) text = trim(size.toPrecision(digits));
  else {
    const [mantissa = "", exponent = ""] = size.toExponential(digits - 1).split("e");
    text = `${trim(mantissa)}e${exponent.replace("+", "").replace("-", "−")}`;
  }
  return value < 0 ? `−${text}` : text;
}

function trim(text: string): string {
  if (text.includes("e")) return String(Number(text));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Writes numbers up to `largest` with the same number of decimals each: `digits` significant ones
 * in the largest. */
export function fixedFormat(largest: number, digits = 3): (value: number) => string {
  const places = digits - 1 - Math.floor(Math.log10(largest) + 1e-9);
  const decimals = Number.isFinite(places) ? Math.min(digits, Math.max(0, places)) : 0;
  return (value) => {
    if (!Number.isFinite(value)) return formatNumber(value);
    const text = Math.abs(value).toFixed(decimals);
    return value < 0 && Number(text) !== 0 ? `−${text}` : text;
  };
}

// Values as Python writes them, so that words here and there are the same.

/** What Python does not print: all but letters, marks, numbers, signs and the space. */
const UNPRINTABLE = /[\p{C}\p{Z}]/u;
const NAMED: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** `repr(value)`. */
export function repr(value: string | number): string {
  if (typeof value === "number") return String(value);
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const characters = Array.from(value, (character) =>
    character === quote ? `\\${quote}` : escaped(character),
  );
  return `${quote}${characters.join("")}${quote}`;
}

function escaped(character: string): string {
  const named = NAMED[character];
  if (named) return named;
  if (character === " " || !UNPRINTABLE.test(character)) return character;
  const code = (character.codePointAt(0) ?? 0).toString(16);
  if (code.length < 3) return `\\x${code.padStart(2, "0")}`;
  return code.length < 5 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
}

/** `f"{value:g}"`. */
export function general(value: number): string {
  const size = Math.abs(Number(value.toPrecision(6)));
  if (Object.is(value, -0)) return "-0";
  if (size === 0 || (size >= 1e-4 && size < 1e6)) return String(Number(value.toPrecision(6)));
  const [mantissa = "", exponent = ""] = value.toExponential(5).split("e");
  const sign = exponent.startsWith("-") ? "-" : "+";
  return `${Number(mantissa)}e${sign}${exponent.slice(1).padStart(2, "0")}`;
}

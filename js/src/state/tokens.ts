// How the text of a token is shown. Token text is untrusted and often invisible: spaces, newlines,
// control characters, half a character. Everything returned here is meant for a text node.

const NAMED: Record<string, string> = { " ": "·", "\n": "⏎", "\r": "␍", "\t": "⇥", "\u00a0": "⍽" };

/** Controls, formats (bidi and zero-width among them), separators, lone surrogates, private use. */
const INVISIBLE =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]|\p{Default_Ignorable_Code_Point}/u;
const MARK = /\p{M}/u;

/** Glyphs after which `tokenGlyphs` starts to leave out the middle. */
const LIMIT = 24;

/** One character as it is shown: itself, a sign for it, or an escape. */
export function glyph(character: string): string {
  const named = NAMED[character];
  if (named) return named;
  if (!INVISIBLE.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** The token with everything invisible made visible: `·` for a space (a single space between two
 * words stays one), `⏎`, `⇥`, escapes for control characters. Longer than `limit` glyphs, the
 * middle is left out; with `Infinity` nothing is, as a title needs it. */
export function tokenGlyphs(text: string, limit = LIMIT): string {
  if (text === "") return "∅";
  const characters = [...text];
  const glyphs = characters.map((character, i) => {
    const before = characters[i - 1];
    const after = characters[i + 1];
    if (character === " " && before !== undefined && after !== undefined) {
      return before.trim() && after.trim() ? " " : "·";
    }
    // A mark without a base would sit on the neighbouring token.
    if (MARK.test(character) && (before === undefined || glyph(before) !== before)) {
      return `◌${glyph(character)}`;
    }
    return glyph(character);
  });
  if (glyphs.length <= limit) return glyphs.join("");
  const head = Math.ceil((limit - 1) / 2);
  return `${glyphs.slice(0, head).join("")}…${glyphs.slice(head + 1 - limit).join("")}`;
}

/** All of a text, such as a title or the name of a model, with everything invisible made visible. */
export const visible = (text: string): string => tokenGlyphs(text, Number.POSITIVE_INFINITY);

// Tokens as text, with everything invisible made visible.
import { useMemo } from "preact/hooks";
import { tokenGlyphs, visible } from "../state/tokens";

interface TokenProps {
  text: string;
  /** What the title says after the token's full text. */
  note?: string;
}

export function Token({ text, note }: TokenProps) {
  const full = visible(text);
  return (
    <span class="hs-token" title={note ? `${full}\n${note}` : full}>
      {tokenGlyphs(text)}
    </span>
  );
}

interface TokenListProps {
  tokens: readonly string[];
  ids: readonly number[];
  label: string;
}

export function TokenList({ tokens, ids, label }: TokenListProps) {
  // A thousand tokens must not be gone through again at every step of a progress bar.
  return useMemo(
    () => (
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it
      <ol class="hs-tokens" aria-label={label} tabIndex={0}>
        {tokens.map((text, position) => (
          <li key={position}>
            <Token text={text} note={`position ${position}, id ${ids[position]}`} />
          </li>
        ))}
      </ol>
    ),
    [tokens, ids, label],
  );
}

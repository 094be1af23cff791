// What the model predicts after the prompt; a click appends it.
import { useState } from "preact/hooks";
import type { Host } from "../host/contract";
import { tokenGlyphs, visible } from "../state/tokens";
import type { NextToken } from "../wire/types";
import { liveTitle } from "./notes";

/** How many are shown however rare they are; rarer ones than `RARE` behind them are not. */
const LEAST = 3;
const RARE = 1e-3;

interface NextTokensProps {
  host: Host;
  tokens: readonly NextToken[];
  /** The tokens do not belong to the prompt as it stands: nothing can be appended now. */
  outdated: boolean;
}

export function NextTokens({ host, tokens, outdated }: NextTokensProps) {
  const [asking, setAsking] = useState(false);
  const [refusal, setRefusal] = useState("");
  const waiting = outdated || asking;

  const extend = async (tokenId: number | null): Promise<void> => {
    // Not `disabled`: that would take the focus away from under the key that is being pressed.
    if (waiting) return;
    setAsking(true);
    setRefusal("");
    try {
      await host.ask("extend", { token_id: tokenId });
    } catch (failed) {
      setRefusal(failed instanceof Error ? failed.message : String(failed));
    } finally {
      setAsking(false);
    }
  };

  return (
    <div class="hs-row hs-next">
      <span class="hs-label" id="hs-next-label">
        Next token
      </span>
      <ul class="hs-next-list" aria-labelledby="hs-next-label">
        {tokens
          .filter(({ probability }, i) => i < LEAST || probability >= RARE)
          .map((token) => {
            const full = visible(token.text);
            const share = percent(token.probability);
            return (
              <li key={token.token_id}>
                <button
                  type="button"
                  class="hs-button hs-next-token"
                  title={liveTitle(host.live, `Append ${full} (id ${token.token_id}, ${share})`)}
                  aria-disabled={waiting}
                  disabled={!host.live}
                  onClick={() => extend(token.token_id)}
                >
                  <span class="hs-hidden">Append </span>
                  <span class="hs-next-text">{tokenGlyphs(token.text)}</span>{" "}
                  <span class="hs-next-share">{share}</span>
                  <span class="hs-next-bar" style={{ width: `${100 * token.probability}%` }} />
                </button>
              </li>
            );
          })}
      </ul>
      <button
        type="button"
        class="hs-button"
        title={liveTitle(host.live, "Append the most probable token")}
        aria-disabled={waiting}
        disabled={!host.live}
        onClick={() => extend(null)}
      >
        Generate next token
      </button>
      {refusal && (
        <span class="hs-refused" role="alert">
          {refusal}
        </span>
      )}
    </div>
  );
}

function percent(probability: number): string {
  const share = 100 * probability;
  if (share > 0 && share < 0.1) return "<0.1%";
  if (share < 100 && share > 99.9) return ">99.9%";
  return `${share.toFixed(1)}%`;
}

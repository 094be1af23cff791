// What the model predicts after the prompt; a click appends it.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Host } from "../host/contract";
import { tokenGlyphs, visible } from "../state/tokens";
import type { NextToken, TokenShift } from "../wire/types";
import { liveTitle } from "./notes";

/** How many are shown however rare they are; rarer ones than `RARE` behind them are not. */
const LEAST = 3;
const RARE = 1e-3;

interface NextTokensProps {
  host: Host;
  tokens: readonly NextToken[];
  /** Before and after interventions; none where none acts. */
  shifts: readonly TokenShift[];
  /** The tokens do not belong to the prompt as it stands: nothing can be appended now. */
  outdated: boolean;
}

export function NextTokens({ host, tokens, shifts, outdated }: NextTokensProps) {
  const candidates = shifts.length ? shifts.map(moved) : tokens.map(plain);
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
        {shifts.length > 0 && <span class="hs-hidden"> before and after the interventions</span>}
      </span>
      <ul class="hs-next-list" aria-labelledby="hs-next-label">
        {candidates
          .filter(({ most }, i) => i < LEAST || most >= RARE)
          .map(({ token_id, text, share, told, before, after }) => {
            const full = visible(text);
            return (
              <li key={token_id}>
                <button
                  type="button"
                  class="hs-button hs-next-token"
                  title={liveTitle(host.live, `Append ${full} (id ${token_id}, ${told})`)}
                  aria-disabled={waiting}
                  disabled={!host.live}
                  onClick={() => extend(token_id)}
                >
                  <span class="hs-hidden">Append </span>
                  <span class="hs-next-text">{tokenGlyphs(text)}</span>{" "}
                  <span class="hs-next-share">{share}</span>
                  {before !== null && <Bar share={before} name="hs-next-bar hs-next-before" />}
                  <Bar share={after} name="hs-next-bar" />
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

interface Candidate {
  token_id: number;
  text: string;
  /** The larger of its probabilities. */
  most: number;
  before: number | null;
  after: number;
  /** On the button, and in words. */
  share: JSX.Element | string;
  told: string;
}

function plain({ token_id, text, probability }: NextToken): Candidate {
  const share = percent(probability);
  return {
    token_id,
    text,
    most: probability,
    before: null,
    after: probability,
    share,
    told: share,
  };
}

function moved({ token_id, text, before, after }: TokenShift): Candidate {
  const [was, is] = [percent(before), percent(after)];
  const points = Math.round(1000 * (after - before)) / 10;
  const change = `${["−", "", "+"][Math.sign(points) + 1]}${Math.abs(points).toFixed(1)}`;
  const share = (
    <>
      {was}
      <span aria-hidden="true"> → </span>
      <span class="hs-hidden">, then </span>
      {is} <span class="hs-next-change">({change})</span>
    </>
  );
  const told = `${was} before, ${is} after the interventions: ${change} percentage points`;
  return { token_id, text, most: Math.max(before, after), before, after, share, told };
}

const Bar = ({ share, name }: { share: number; name: string }): JSX.Element => (
  <span class={name} style={{ width: `${100 * share}%` }} />
);

function percent(probability: number): string {
  const share = 100 * probability;
  if (share > 0 && share < 0.1) return "<0.1%";
  if (share < 100 && share > 99.9) return ">99.9%";
  return `${share.toFixed(1)}%`;
}

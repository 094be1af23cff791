// What the selected head does on this prompt, in numbers with their definitions.
import type { JSX } from "preact";
import { formatNumber } from "../../draw/text";
import type { Patterns } from "../../wire/types";
import { type HeadRef, headLabel } from "./heads";
import { scoreOf } from "./order";

const DECIMALS = 3;

/** Without a sign where nothing is left of it. */
const rounded = (value: number): string =>
  value
    .toFixed(DECIMALS)
    .replace(/^-(?=[0.]+$)/, "")
    .replace("-", "−");

export function Scores({ result, head }: { result: Patterns; head: HeadRef }): JSX.Element {
  return (
    <table class="hs-table">
      <caption>Scores of {headLabel(head)} on this prompt</caption>
      <thead>
        <tr>
          <th scope="col">Score and definition</th>
          <th scope="col" colSpan={2}>
            Value (of at most)
          </th>
        </tr>
      </thead>
      <tbody>
        {result.scores.map((score) => {
          const value = scoreOf(result, score, head);
          const share = Number.isNaN(value) ? 0 : Math.min(1, Math.abs(value) / score.high);
          return (
            <tr key={score.name}>
              <th scope="row">
                <span class="hs-att-score">{score.title}</span> {score.definition}
              </th>
              <td class="hs-att-number">
                {Number.isNaN(value) ? "n/a" : rounded(value)} ({formatNumber(score.high)})
              </td>
              <td>
                <span class="hs-att-track">
                  <span class="hs-bar" style={{ width: `${share * 100}%` }} />
                </span>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

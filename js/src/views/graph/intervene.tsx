// Nodes changed in the model: what the graph predicts, and what the model does.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import { type Option, Segmented, Toggle } from "../parts/controls";
import { type Asking, DemandButton, Problem, useDemand } from "./ask";
import { percent } from "./words";

type How = "ablate" | "scale" | "clamp";

const HOWS: readonly Option<How>[] = [
  { value: "ablate", title: "Ablate", help: "To zero" },
  { value: "scale", title: "Scale", help: "Times the value" },
  { value: "clamp", title: "Clamp", help: "To the value" },
];

interface Outcome {
  nodes: { name: string; text: string; before: number; predicted: number; after: number }[];
  tokens: { text: string; before: number; after: number }[];
  note: string;
}

/** Rarer tokens behind the first few are not listed. */
const FEW = 3;
const RARE = 1e-3;

interface InterveneProps {
  asking: Asking;
  /** What is changed where no names are typed. */
  nodes: readonly string[];
  labels: Readonly<Record<string, string>>;
}

export function IntervenePanel({ asking, nodes, labels }: InterveneProps): JSX.Element {
  const [how, setHow] = useState<How>("ablate");
  const [value, setValue] = useState(2);
  const [frozen, setFrozen] = useState(false);
  const [typed, setTyped] = useState("");
  const names = typed.split(/[\s,]+/).filter(Boolean);
  const changed = names.length ? names : nodes;
  const demand = useDemand<Outcome>(asking, "intervene", {
    nodes: changed,
    how,
    value: how === "ablate" ? 0 : value,
    frozen,
  });
  return (
    <article class="hs-graph-panel hs-graph-wide" aria-label="Intervene">
      <div class="hs-row">
        <label class="hs-control">
          <span class="hs-label">Intervene on</span>
          <input
            class="hs-input"
            size={28}
            title="By default what is selected, the group below, what is pinned, or the node below. Other names, of inactive features too, can be typed."
            placeholder={nodes.join(", ") || "select or pin nodes, or type names"}
            disabled={!demand.offered}
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <Segmented
          label="How"
          options={HOWS}
          value={how}
          disabled={!demand.offered}
          onChange={(next) => setHow(next)}
        />
        {how !== "ablate" && (
          <label class="hs-control">
            <span class="hs-label">{how === "scale" ? "times" : "to"}</span>
            <input
              class="hs-input hs-graph-amount"
              type="number"
              step="any"
              value={value}
              onInput={(event) => setValue(event.currentTarget.valueAsNumber || 0)}
            />
          </label>
        )}
        <Toggle
          label="Frozen"
          title="Attention patterns, norm scales and other MLP outputs are held: only direct effects are left"
          checked={frozen}
          disabled={!demand.offered}
          onChange={setFrozen}
        />
        <DemandButton
          label="Intervene"
          help="Run the model with these nodes changed"
          demand={demand}
          disabled={changed.length === 0}
        />
      </div>
      <Problem text={demand.problem} />
      {demand.answer && <Changes outcome={demand.answer} labels={labels} />}
    </article>
  );
}

function Changes({ outcome, labels }: Pick<InterveneProps, "labels"> & { outcome: Outcome }) {
  const tokens = outcome.tokens.filter(
    ({ before, after }, i) => i < FEW || Math.max(before, after) >= RARE,
  );
  return (
    <>
      <p class="hs-muted">{outcome.note}</p>
      <div class="hs-graph-panels">
        <table class="hs-table">
          <thead>
            <tr>
              <th scope="col">Node</th>
              <td />
              {["Before", "Predicted", "After"].map((title) => (
                <th scope="col" class="hs-graph-number" key={title}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {outcome.nodes.map(({ name, text, before, predicted, after }) => {
              const said = labels[name] || text;
              return (
                <tr key={name}>
                  <td>{name}</td>
                  <td class="hs-graph-text">{said && tokenGlyphs(said)}</td>
                  {[before, predicted, after].map((number, i) => (
                    <td class="hs-graph-number" key={i}>
                      {formatNumber(number)}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
        <table class="hs-table">
          <thead>
            <tr>
              <th scope="col">Next token</th>
              <th scope="col" class="hs-graph-number">
                Before
              </th>
              <th scope="col" class="hs-graph-number">
                After
              </th>
            </tr>
          </thead>
          <tbody>
            {tokens.map(({ text, before, after }, i) => (
              <tr key={i}>
                <td>
                  <span class="hs-token">{tokenGlyphs(text)}</span>
                </td>
                <td class="hs-graph-number">{percent(before)}</td>
                <td class="hs-graph-number">{percent(after)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

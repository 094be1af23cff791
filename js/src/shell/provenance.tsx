// Where the numbers come from: enough to run them again and to read their sign.
import { useState } from "preact/hooks";
import { ranWith } from "../figure/svg";
import { visible } from "../state/tokens";
import type { Provenance } from "../wire/types";
import { Token } from "./token";

export function ProvenanceDetails({ provenance }: { provenance: Provenance }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="hs-provenance" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Provenance
        <span class="hs-muted">
          {" "}
          · {provenance.sign} {provenance.normalisation} {ranWith(provenance)}
          {provenance.user_hooks.length > 0 && " Run under hooks of yours."}
        </span>
      </summary>
      {open && <Everything provenance={provenance} />}
    </details>
  );
}

type Row = [name: string, value: string];

function Everything({ provenance: p }: { provenance: Provenance }) {
  const rows: Row[] = [
    ["Analysis", p.analysis],
    ["Model", p.revision ? `${p.model} (revision ${p.revision})` : p.model],
    ["Architecture", p.architecture],
    ["Runs in", `${p.dtype} on ${p.device}`],
    ["Weights", p.processed_weights ? "processed (folded and centred)" : "as trained"],
    ...(p.user_hooks.length ? [["Your hooks on", p.user_hooks.join(", ")] as Row] : []),
    ...p.interventions.map((item): Row => ["Intervention", item]),
    ["Sign", p.sign],
    ["Normalisation", p.normalisation],
    ...Object.entries(p.parameters).map(([name, value]): Row => [name, JSON.stringify(value)]),
    ...(p.seed === null ? [] : [["Seed", String(p.seed)] as Row]),
    ...p.notes.map((note): Row => ["Note", note]),
    [
      "Versions",
      Object.entries(p.versions)
        .map((entry) => entry.join(" "))
        .join(", "),
    ],
  ];
  return (
    <>
      <table class="hs-table">
        <tbody>
          {rows.map(([name, value], i) => (
            <tr key={i}>
              <th scope="row">{name}</th>
              <td>{visible(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {p.prompts.map((prompt) => (
        <ol class="hs-ids" start={0} aria-label="Tokens and their ids" key={prompt.text}>
          {prompt.tokens.map((text, position) => (
            <li key={position}>
              <Token text={text} /> <span class="hs-muted">{prompt.token_ids[position]}</span>
            </li>
          ))}
        </ol>
      ))}
    </>
  );
}

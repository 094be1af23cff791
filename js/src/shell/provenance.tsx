// Where the numbers come from: enough to run them again and to read their sign.
import { useState } from "preact/hooks";
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
          · {provenance.sign} {provenance.normalisation}
        </span>
      </summary>
      {open && <Everything provenance={provenance} />}
    </details>
  );
}

function Everything({ provenance: p }: { provenance: Provenance }) {
  const rows: [string, string][] = [
    ["Analysis", p.analysis],
    ["Model", p.revision ? `${p.model} (revision ${p.revision})` : p.model],
    ["Architecture", p.architecture],
    ["Runs in", `${p.dtype} on ${p.device}`],
    ["Weights", p.processed_weights ? "processed (folded and centred)" : "as trained"],
    ["Sign", p.sign],
    ["Normalisation", p.normalisation],
    ...Object.entries(p.parameters).map(([name, value]): [string, string] => [
      name,
      JSON.stringify(value),
    ]),
    ...(p.seed === null ? [] : [["Seed", String(p.seed)] as [string, string]]),
    ...p.notes.map((note): [string, string] => ["Note", note]),
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
              <td>{value}</td>
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

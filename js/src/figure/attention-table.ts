// The enlarged heads, a row for each pair of positions, masked pairs left out.

import type { Shown, Table } from "../views/exports";
import type { Patterns } from "../wire/types";
import { shownHeads } from "./attention";

export function attentionTable(result: Patterns, shown: Shown): Table {
  const tokens = result.provenance.prompts[0]?.tokens ?? [];
  const head = ["layer", "head", "dest", "src", "dest_token", "src_token", "attention"];
  const rows = shownHeads(result, shown).flatMap(({ layer, head, weights }) =>
    tokens.flatMap((dest_token, dest) =>
      tokens
        .slice(0, result.causal ? dest + 1 : tokens.length)
        .map((src_token, src) => [
          layer,
          head,
          dest,
          src,
          dest_token,
          src_token,
          weights.data[dest * tokens.length + src] ?? Number.NaN,
        ]),
    ),
  );
  return [head, ...rows];
}

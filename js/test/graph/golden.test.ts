import { describe, expect, it } from "vitest";
import cases from "../../../tests/golden/pruning.json";
import { readGraph } from "../../src/views/graph/model";
import { makePruner, type Threshold } from "../../src/views/graph/prune";
import { fromBase64 } from "../../src/wire/base64";
import { decodeResult } from "../../src/wire/decode";
import type { CircuitGraph, Header } from "../../src/wire/types";

const flagged = (flags: Uint8Array): number[] => [...flags.keys()].filter((at) => flags[at]);

interface Kept {
  threshold: Threshold;
  /** Null where the rule is about edges only. */
  nodes: number[] | null;
  edges: number[];
}

describe.each(cases)("pruning of $name", ({ graph: { header, buffers }, cases: kept }) => {
  const payload = { header: header as unknown as Header, buffers: buffers.map(fromBase64) };
  const graph = readGraph(decodeResult(payload) as CircuitGraph);
  const pruner = makePruner(graph);

  it.each(kept as Kept[])(
    "at $threshold keeps what Python keeps",
    ({ threshold, nodes, edges }) => {
      const pruned = pruner.prune(threshold);
      expect(flagged(pruned.edges)).toEqual(edges);
      expect(pruned.edgeCount).toBe(edges.length);
      if (nodes) expect(flagged(pruned.nodes)).toEqual(nodes);
    },
  );
});

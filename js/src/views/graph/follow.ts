// Nodes and the shared selection: what a pinned node is to other widgets, and a component or a feature
// that was chosen in another one is gone to.
import { useEffect, useRef } from "preact/hooks";
import type { Selection } from "../../wire/types";
import type { Picture } from "./groups";
import type { Graph } from "./model";
import type { NodeKind } from "./names";

const COMPONENTS: readonly NodeKind[] = ["embed", "head", "kv_head", "mlp", "neuron", "logits"];

/** The selection that a node stands for: nothing where other widgets have no such thing. */
export function subjectOf(graph: Graph, node: number): Partial<Selection> {
  const kind = graph.kinds[node] ?? "other";
  const name = graph.names[node]?.replace(/@\d+$/, "") ?? null;
  if (kind === "feature") return { feature: name, component: null };
  return COMPONENTS.includes(kind) ? { component: name, feature: null } : {};
}

/** Calls `go` with an item that holds the selected component or feature, once another one is selected:
 * the one at the selected token, or else the last. Not where `at` is such an item already, as after a
 * pin here. */
export function useFollow(
  graph: Graph,
  picture: Picture,
  { component, feature, token }: Selection,
  at: number,
  go: (item: number) => void,
): void {
  // Of a head's inputs the head is the node.
  const subject = feature ?? component?.replace(/\.[qkv]$/, "") ?? null;
  const before = useRef(subject);
  useEffect(() => {
    const was = before.current;
    before.current = subject;
    if (subject === null || subject === was) return;
    const isIt = (node: number): boolean => {
      const own = subjectOf(graph, node);
      return (own.component ?? own.feature) === subject;
    };
    if (picture.items[at]?.members.some(isIt)) return;
    const found = picture.items.flatMap(({ members }, i) => (members.some(isIt) ? [i] : []));
    const here = found.find((item) =>
      picture.items[item]?.members.some((node) => isIt(node) && graph.position[node] === token),
    );
    const next = here ?? found.at(-1);
    if (next !== undefined) go(next);
  }, [subject]);
}

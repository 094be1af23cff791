// A head that was chosen in another widget is gone to.
import { useEffect, useRef } from "preact/hooks";
import type { Selection } from "../../wire/types";
import type { Picture } from "./groups";
import type { Graph } from "./model";

/** Calls `go` with the last item that holds the selected head, once another one is selected; not
 * where `at` is such an item already, as after a pin here. */
export function useFollow(
  graph: Graph,
  picture: Picture,
  { layer, head }: Selection,
  at: number,
  go: (item: number) => void,
): void {
  const before = useRef({ layer, head });
  useEffect(() => {
    const { current: was } = before;
    before.current = { layer, head };
    if (layer === null || head === null || (was.layer === layer && was.head === head)) return;
    const isIt = (node: number): boolean =>
      graph.kinds[node] === "head" && graph.layer[node] === layer && graph.unit[node] === head;
    if (picture.items[at]?.members.some(isIt)) return;
    const found = picture.items.flatMap(({ members }, i) => (members.some(isIt) ? [i] : []));
    const last = found.at(-1);
    if (last !== undefined) go(last);
  }, [layer, head]);
}

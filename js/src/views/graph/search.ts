// Finding nodes by name, text, label or group.
import type { Picture } from "./groups";
import { type Naming, shortLabel, textOf, tokenAt } from "./words";

/** Items that have `query` in one of their words, those that begin with it first. */
export function search(naming: Naming, picture: Picture, query: string): number[] {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return [];
  const { graph, labels, groups } = naming;
  const found = picture.items.flatMap((item, at) => {
    const token = tokenAt(graph, graph.position[item.node] ?? -1) ?? "";
    const words = [
      item.key,
      textOf(graph, item.node) ?? "",
      labels[item.key] ?? "",
      groups[item.group]?.label ?? "",
      shortLabel(naming, item),
      token.trim(),
    ].map((word) => word.toLowerCase());
    if (!words.some((word) => word.includes(wanted))) return [];
    return [{ at, first: words.some((word) => word.trim().startsWith(wanted)) ? 0 : 1 }];
  });
  return found.sort((a, b) => a.first - b.first || a.at - b.at).map(({ at }) => at);
}

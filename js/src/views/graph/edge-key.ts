// A link by name: it stays selected when the picture changes around it.
import type { Picture } from "./groups";
import { edgesOf, type Graph } from "./model";
import { linkInput } from "./words";

export interface EdgeKey {
  source: string;
  target: string;
  input: string;
}

export function keyOfLink(graph: Graph, picture: Picture, link: number): EdgeKey | null {
  const source = picture.items[picture.source[link] ?? -1];
  const target = picture.items[picture.target[link] ?? -1];
  if (!source || !target) return null;
  return { source: source.key, target: target.key, input: linkInput(graph, picture, link) };
}

/** The link of that name; -1 where the picture has none. */
export function findLink(
  graph: Graph,
  picture: Picture,
  itemIndex: ReadonlyMap<string, number>,
  { source, target, input }: EdgeKey,
): number {
  const to = itemIndex.get(target) ?? -1;
  const from = edgesOf(picture.outgoing, itemIndex.get(source) ?? -1);
  return (
    from.find((link) => picture.target[link] === to && linkInput(graph, picture, link) === input) ??
    -1
  );
}

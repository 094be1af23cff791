// A view in a bundle of its own, sent only where it is needed. It draws with the shell's Preact, which
// the shell hands over, so that hooks and context are one.
import type { ComponentType } from "preact";
import type { Preact } from "../lend/preact";
import type { Result } from "../wire/types";
import type { ViewProps } from "./contract";
import type { Exports } from "./exports";

export type IslandKind = "patterns" | "circuit_graph";

interface IslandOf<K extends IslandKind> {
  kind: K;
  bind(preact: Preact): void;
  view: ComponentType<ViewProps<Extract<Result, { kind: K }>>>;
  css: string;
  exports: Exports<Extract<Result, { kind: K }>>;
}

export type Island = { [K in IslandKind]: IslandOf<K> }[IslandKind];

const PLACE = Symbol.for("headscope.islands");
const page = globalThis as { [PLACE]?: Island[] };

/** Puts an island where the shell of a saved page looks for it, and tells the shell. */
export function leaveOnPage(island: Island): void {
  page[PLACE] ??= [];
  page[PLACE].push(island);
  document.dispatchEvent(new Event("headscope"));
}

export const islandsOfPage = (): readonly Island[] => page[PLACE] ?? [];

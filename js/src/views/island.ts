// A view in a bundle of its own, sent only where it is needed. It draws with the shell's Preact, which
// the shell hands over, so that hooks and context are one.
import type { ComponentType } from "preact";
import type { Host, HostState } from "../host/contract";
import type { Preact } from "../lend/preact";
import type { Grid, Result } from "../wire/types";
import type { ViewProps } from "./contract";
import type { Exports } from "./exports";
import type { ViewName } from "./name";

export type IslandKind = Exclude<ViewName, "grid">;

/** What a view of that name draws: the results of that kind, or else grids. */
type Drawn<K extends IslandKind> = K extends Result["kind"] ? Extract<Result, { kind: K }> : Grid;

interface IslandOf<K extends IslandKind> {
  kind: K;
  bind(preact: Preact): void;
  view: ComponentType<ViewProps<Drawn<K>>>;
  css: string;
  exports: Exports<Drawn<K>>;
}

export type Island = { [K in IslandKind]: IslandOf<K> }[IslandKind];

/** The panel of interventions, which is beside a view and not one. */
export interface Panel {
  kind: "interventions";
  bind(preact: Preact): void;
  panel: ComponentType<{ host: Host; state: HostState }>;
  css: string;
}

/** Fetches a panel that is in a bundle of its own. */
export type Lend = (name: Panel["kind"]) => Promise<Panel>;

/** Anything in a bundle of its own. */
export interface Lent {
  kind: string;
  bind(preact: Preact): void;
}

const PLACE = Symbol.for("headscope.islands");
const page = globalThis as { [PLACE]?: Lent[] };

/** Puts it where the shell of a saved page looks for it, and tells the shell. */
export function leaveOnPage(lent: Lent): void {
  page[PLACE] ??= [];
  page[PLACE].push(lent);
  document.dispatchEvent(new Event("headscope"));
}

export const lentOnPage = (): readonly Lent[] => page[PLACE] ?? [];

export const islandsOfPage = (): readonly Island[] =>
  lentOnPage().filter((lent): lent is Island => "view" in lent);

/** Of a saved page, on which it may be still to come. */
export const borrowedOfPage: Lend = (name) =>
  new Promise((resolve) => {
    const look = (): void => {
      const found = lentOnPage().find((one): one is Panel => one.kind === name);
      if (!found) return;
      document.removeEventListener("headscope", look);
      resolve(found);
    };
    document.addEventListener("headscope", look);
    look();
  });

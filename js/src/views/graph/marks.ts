// What users mark, as it is now: read from the synced traits, where a stranger may have written
// anything, and changed with a way back.
import { useCallback, useMemo, useState } from "preact/hooks";
import { advance, begin, type History, redo, undo } from "../../state/history";
import type { CircuitGraph, Group, Place } from "../../wire/types";
import type { ViewProps } from "../contract";
import type { Graph } from "./model";
import type { Threshold } from "./prune";

export interface GraphMarks {
  pinned: readonly string[];
  groups: readonly Group[];
  labels: Readonly<Record<string, string>>;
  places: readonly Place[];
  threshold: Threshold;
}

const NAMES = ["pinned", "groups", "labels", "places", "threshold"] as const;

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const fields = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => Number.isFinite(value);

export function readMarks(marks: Record<string, unknown>, result: CircuitGraph): GraphMarks {
  const raw = (name: (typeof NAMES)[number]): unknown => marks[name] ?? result.marks[name];
  const threshold = fields(raw("threshold"));
  return {
    pinned: list(raw("pinned")).filter(isText),
    groups: list(raw("groups"))
      .map(fields)
      .filter((group) => isText(group.label))
      .map((group) => ({ label: String(group.label), nodes: list(group.nodes).filter(isText) })),
    labels: Object.fromEntries(
      Object.entries(fields(raw("labels"))).filter((entry): entry is [string, string] =>
        isText(entry[1]),
      ),
    ),
    places: list(raw("places"))
      .map(fields)
      .filter(({ node, x, y }) => isText(node) && isNumber(x) && isNumber(y))
      .map((place) => place as unknown as Place),
    threshold: Object.fromEntries(
      Object.entries(threshold).filter(([, value]) => isNumber(value)),
    ) as Threshold,
  };
}

/** What of the marks is of nodes that the graph has; thresholds are of any. */
export function marksHere(marks: GraphMarks, { index }: Pick<Graph, "index">): GraphMarks {
  const has = (name: string): boolean => index.has(name);
  return {
    ...marks,
    pinned: marks.pinned.filter(has),
    groups: marks.groups
      .map(({ label, nodes }) => ({ label, nodes: nodes.filter(has) }))
      .filter(({ nodes }) => nodes.length > 0),
    labels: Object.fromEntries(Object.entries(marks.labels).filter(([name]) => has(name))),
    places: marks.places.filter(({ node }) => has(node)),
  };
}

/** How many marks are of nodes that it does not have. */
export function countElsewhere(marks: GraphMarks, here: GraphMarks): number {
  const count = ({ pinned, groups, labels, places }: GraphMarks): number =>
    pinned.length + groups.length + Object.keys(labels).length + places.length;
  return count(marks) - count(here);
}

/** All marks: those of nodes that another graph has are kept for it. */
export interface Marking extends GraphMarks {
  change(patch: Partial<GraphMarks>): void;
  /** What of them is of nodes that the graph has. */
  here: GraphMarks;
  undo: (() => void) | null;
  redo: (() => void) | null;
}

export function useMarks(
  { marks, setMark, result }: ViewProps<CircuitGraph>,
  graph: Graph,
): Marking {
  const now = useMemo(() => readMarks(marks, result), [marks, result]);
  const here = useMemo(() => marksHere(now, graph), [now, graph]);
  const [history, setHistory] = useState<History<GraphMarks>>(() => begin(now));
  const write = (next: GraphMarks): void => {
    for (const name of NAMES) if (next[name] !== now[name]) setMark(name, next[name]);
  };
  const change = (patch: Partial<GraphMarks>): void => {
    const next = { ...now, ...patch };
    setHistory((known) => advance({ ...known, now }, next));
    write(next);
  };
  const step = (move: typeof undo<GraphMarks>): void => {
    const moved = move({ ...history, now });
    setHistory(moved);
    write(moved.now);
  };
  return {
    ...now,
    here,
    change: useCallback(change, [now, setMark]),
    undo: history.past.length ? () => step(undo) : null,
    redo: history.future.length ? () => step(redo) : null,
  };
}

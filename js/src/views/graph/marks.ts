// What users mark, as it is now: read from the synced traits, where a stranger may have written
// anything, and changed with a way back.
import { useCallback, useMemo, useState } from "preact/hooks";
import type { CircuitGraph, Group, Place } from "../../wire/types";
import type { ViewProps } from "../contract";
import type { Threshold } from "./prune";
import { advance, begin, type History, redo, undo } from "./undo";

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

export interface Marking extends GraphMarks {
  change(patch: Partial<GraphMarks>): void;
  undo: (() => void) | null;
  redo: (() => void) | null;
}

export function useMarks({ marks, setMark, result }: ViewProps<CircuitGraph>): Marking {
  const now = useMemo(() => readMarks(marks, result), [marks, result]);
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
    change: useCallback(change, [now, setMark]),
    undo: history.past.length ? () => step(undo) : null,
    redo: history.future.length ? () => step(redo) : null,
  };
}

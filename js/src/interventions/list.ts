// The list as the panel works on it: its changes go to the kernel one at a time, and can be taken back.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Host, HostState } from "../host/contract";
import { advance, begin, type History, redo, undo } from "../state/history";
import type { InterventionData } from "../wire/types";
import { type Items, same } from "./editing";

/** A list that the kernel makes no job of, such as one that it refuses, holds up the next no longer. */
const PATIENCE_MS = 1_000;

export interface List {
  /** As it is shown: what moves is ahead of the kernel. */
  items: Items;
  /** Takes a change; `moving`: one of many that are one step to take back. */
  set(items: Items, moving?: boolean): void;
  /** Null where there is nothing to take back, or to do again. */
  undo: (() => void) | null;
  redo: (() => void) | null;
}

export function useList(host: Host, state: HostState): List {
  const kernel = (state.interventions ?? NONE) as Items;
  const [draft, setDraft] = useState<Items | null>(null);
  const [history, setHistory] = useState<History<Items>>(() => begin(kernel));
  /** What was sent last: it comes back as the kernel's. */
  const own = useRef<Items>(kernel);
  const { send, drop } = useNewest(host, state, (sent) => {
    own.current = sent;
  });
  const items = draft ?? kernel;

  // What was changed elsewhere, as from Python, is a step to take back too.
  useEffect(() => {
    if (same(kernel, own.current)) return;
    own.current = kernel;
    drop();
    setDraft(null);
    setHistory((before) => advance(before, kernel));
  }, [kernel]);
  useEffect(() => {
    if (draft !== null && same(draft, kernel)) setDraft(null);
  }, [draft, kernel]);
  // A list that the kernel refused is not shown for long.
  useEffect(() => {
    if (state.error) setDraft(null);
  }, [state.error]);

  const show = (next: Items): void => {
    setDraft(next);
    send(next);
  };
  const step = (next: History<Items>): void => {
    setHistory(next);
    show(next.now);
  };
  return {
    items,
    set(next, moving = false) {
      if (moving) show(next);
      else if (same(next, history.now)) show(next);
      else step(advance(history, next));
    },
    undo: history.past.length > 0 ? () => step(undo(history)) : null,
    redo: history.future.length > 0 ? () => step(redo(history)) : null,
  };
}

const NONE: Items = [];

/** Sends lists to the kernel, each when the one before is computed, or, where many views compute it,
 * taken; of those that wait, the newest. */
function useNewest(
  host: Host,
  { status, interventions, steps }: HostState,
  onSend: (items: Items) => void,
): { send(items: Items): void; drop(): void } {
  const waiting = useRef<Items | null>(null);
  /** The job that was the latest when the last list was sent; null once the kernel is done with it. */
  const sentAt = useRef<number | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef({ status, interventions });
  latest.current = { status, interventions };

  const go = (): void => {
    const items = waiting.current;
    if (items === null || sentAt.current !== null) return;
    waiting.current = null;
    if (same(items, latest.current.interventions ?? NONE)) return;
    sentAt.current = latest.current.status.job;
    timer.current = setTimeout(() => {
      if (latest.current.status.job === sentAt.current) free();
    }, PATIENCE_MS);
    onSend(items);
    host.setInterventions(items as InterventionData[]);
  };
  const free = (): void => {
    clearTimeout(timer.current);
    sentAt.current = null;
    go();
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    const begun = sentAt.current !== null && status.job > sentAt.current;
    if (begun && (steps !== null || status.state !== "running")) free();
  }, [status.job, status.state]);
  return {
    send(items) {
      waiting.current = items;
      go();
    },
    drop() {
      waiting.current = null;
    },
  };
}

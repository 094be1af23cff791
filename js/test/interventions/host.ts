// A kernel played by the test: it begins a job with every list and ends it when told.
import type { Host, HostState } from "../../src/host/contract";
import { NOTHING, selected } from "../../src/state/selection";
import { createStore } from "../../src/state/store";
import type { InterventionData, JobStatus } from "../../src/wire/types";

export interface Played extends Host {
  /** The lists that were sent, in their order. */
  sent: InterventionData[][];
  set(change: Partial<HostState>): void;
  /** Ends the running job. */
  finish(): void;
}

const status = (job: number, state: JobStatus["state"]): JobStatus => ({
  job,
  state,
  fraction: 0,
  eta_s: null,
  message: "",
  paused: null,
});

export function played(interventions: InterventionData[], live = true): Played {
  const store = createStore<HostState>({
    widget: "Intervene",
    kernel: live ? "ready" : "none",
    fields: [],
    values: {},
    result: null,
    resultId: 0,
    status: status(1, "done"),
    error: null,
    prompt: "the cat",
    interventions,
    effect: "with",
    effects: [],
    shifts: [],
    selection: NOTHING,
    view: {},
    marks: {},
    arguments: {},
    asks: [],
    panes: [],
    ran: null,
    steps: null,
    notes: [],
    missing: [],
  });
  const set = (change: Partial<HostState>): void => store.set({ ...store.get(), ...change });
  const sent: InterventionData[][] = [];
  const refuse = (): never => {
    throw new Error("Not in this test.");
  };
  return {
    live,
    sent,
    set,
    get state() {
      return store.get();
    },
    subscribe: store.subscribe,
    setInterventions(list) {
      sent.push(list);
      set({ interventions: list, status: status(store.get().status.job + 1, "running") });
    },
    finish: () => set({ status: { ...store.get().status, state: "done" } }),
    setSelection: (patch) => set({ selection: selected(store.get().selection, patch) }),
    setEffect: (effect) => set({ effect }),
    setPrompt: refuse,
    setField: refuse,
    setView: refuse,
    setMark: refuse,
    step: refuse,
    ask: refuse,
    cancel: refuse,
    rerun: refuse,
  };
}

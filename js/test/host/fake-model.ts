// A widget's model without a kernel: what anywidget's own promises, plus the kernel's side by hand.
import type { WidgetModel } from "../../src/host/live";
import { NOTHING } from "../../src/state/selection";
import type { KernelMessage, PageMessage } from "../../src/wire/types";

type Listener = (...args: unknown[]) => void;

export class FakeModel {
  readonly sent: PageMessage[] = [];
  /** The traits as they were at each save. */
  readonly saves: Record<string, unknown>[] = [];
  /** What JupyterLab has behind a model; undefined as in other front ends. */
  widget_manager: unknown;
  /** Closed, as by the restart of a kernel: nothing can be sent. */
  closed = false;
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly traits: Record<string, unknown>;

  constructor(traits: Record<string, unknown> = {}) {
    this.traits = {
      _widget: "Golden",
      _fields: [],
      _marks: [],
      _asks: [],
      _arguments: {},
      _result: {},
      _shifts: [],
      _status: { job: 0, state: "idle", fraction: 0, eta_s: null, message: "", paused: null },
      _error: null,
      prompt: "the cat",
      interventions: null,
      effect: "with",
      selection: { ...NOTHING },
      view: {},
      ...traits,
    };
  }

  get model(): WidgetModel {
    return this as unknown as WidgetModel;
  }

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    if (Object.is(this.traits[name], value)) return;
    this.traits[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes(): void {
    this.saves.push({ ...this.traits });
  }

  send(message: PageMessage): void {
    if (this.closed) throw new Error("Cannot send");
    this.sent.push(message);
  }

  on(event: string, listener: Listener): void {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set.add(listener));
  }

  off(event: string, listener: Listener): void {
    this.listeners.get(event)?.delete(listener);
  }

  listening(): number {
    return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  /** The kernel speaks. */
  receive(message: KernelMessage, buffers: unknown[] = []): void {
    this.emit("msg:custom", message, buffers);
  }

  /** The kernel answers the latest question of that name. */
  reply(what: string, value: unknown, extra: Partial<KernelMessage & { ok: boolean }> = {}): void {
    const ask = this.asks(what).at(-1);
    if (!ask) throw new Error(`Nothing asked for ${what}.`);
    this.receive({
      type: "reply",
      id: ask.id,
      ok: true,
      value,
      arrays: [],
      error: null,
      ...extra,
    } as KernelMessage);
  }

  /** The front end closes the comm, and says so. */
  cut(): void {
    this.closed = true;
    this.emit("comm_live_update");
  }

  asks(what: string): Extract<PageMessage, { type: "ask" }>[] {
    return this.sent.filter((m) => m.type === "ask").filter((m) => m.what === what);
  }

  private emit(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...args);
  }
}

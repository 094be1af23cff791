// The line to the kernel: questions with their answers, and whether anybody is there to answer.
//
// No answer has two reasons: the kernel runs a cell, for minutes perhaps, or it is gone. So when an
// answer is late a ping follows it. It comes back with the questions that the kernel is still at: an
// older one that is neither among them nor answered was lost.
import { type Bytes, decodeArrays } from "../wire/decode";
import type { ErrorInfo, PageMessage, Reply } from "../wire/types";
import { type Answer, type KernelState, NeedsKernel, present } from "./contract";
import { kernelStatus } from "./kernel";
import type { WidgetModel } from "./live";

/** The kernel's own one-line answer to an ask that failed. */
export class KernelError extends Error {
  override name = "KernelError";
  readonly info: ErrorInfo;
  constructor(info: ErrorInfo) {
    super(info.message);
    this.info = info;
  }
}

export interface Line {
  readonly kernel: KernelState;
  send(message: PageMessage): void;
  ask(what: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<Answer>;
  /** Something was sent by another way that the kernel must react to. */
  expect(): void;
  /** The kernel gave a sign of life. */
  heard(): void;
  receive(reply: Reply, buffers: Bytes[]): void;
  /** Cancels what is still being asked. */
  close(): void;
}

interface Pending {
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

const TICK_MS = 1_000;
/** So many ticks without a word, and the page says that it waits. */
const LATE = 2;
/** So many, without a cell that is known to run, and it stops waiting. */
const SILENT = 30;

const abortError = (): DOMException => new DOMException("No longer wanted.", "AbortError");

export function openLine(model: WidgetModel, onKernel: (state: KernelState) => void): Line {
  const pending = new Map<number, Pending>();
  const status = kernelStatus(model, probe);
  let kernel: KernelState = "ready";
  // Unique across views, and across browsers on the same kernel: a reply reaches them all.
  let nextId = Math.floor(Math.random() * 2 ** 40) * 2 ** 12;
  let ping: { id: number; answered: boolean; open: unknown } | null = null;
  let expecting = false;
  /** Ticks since the kernel was last heard. */
  let quiet = 0;
  let ticker: ReturnType<typeof setInterval> | undefined;
  let closed = false;

  // A widget drawn from a notebook's stored state never had a kernel.
  void status.cut().then((cut) => cut && become("gone"));

  function become(next: KernelState): void {
    if (next === kernel || closed) return;
    kernel = next;
    if (!present(kernel)) {
      for (const id of [...pending.keys()]) drop(id)?.reject(new NeedsKernel());
    }
    onKernel(kernel);
  }

  function drop(id: number): Pending | undefined {
    const waiting = pending.get(id);
    pending.delete(id);
    return waiting;
  }

  function send(message: PageMessage): void {
    try {
      model.send(message);
    } catch {
      become("gone"); // its comm was closed
    }
  }

  function sendPing(): void {
    ping = { id: nextId++, answered: false, open: [] };
    send({ type: "ask", id: ping.id, what: "ping", params: {} });
    watch();
  }

  function probe(): void {
    // JupyterLab tells of a restart just before it closes the comms.
    setTimeout(async () => {
      if (closed) return;
      if (await status.cut()) become("gone");
      else sendPing();
    });
  }

  function heard(): void {
    quiet = 0;
    expecting = false;
    become("ready");
  }

  function watch(): void {
    if (!closed) ticker ??= setInterval(tick, TICK_MS);
  }

  function rest(): void {
    clearInterval(ticker);
    ticker = undefined;
    quiet = 0;
  }

  function tick(): void {
    if (ping?.answered) {
      const open = new Set(Array.isArray(ping.open) ? ping.open : []);
      for (const id of [...pending.keys()]) {
        if (id > ping.id || open.has(id)) continue;
        drop(id)?.reject(new Error("The kernel's answer was lost. Try again."));
      }
      ping = null;
    }
    const waiting = pending.size > 0 || expecting || ping !== null;
    if (!waiting || kernel === "gone") {
      rest();
      return;
    }
    quiet = status.busy() ? Math.min(quiet + 1, LATE) : quiet + 1;
    if (!ping || quiet % SILENT === 0) sendPing();
    if (quiet >= LATE) become(quiet < SILENT ? "busy" : "silent");
  }

  return {
    get kernel() {
      return kernel;
    },
    send,
    heard,

    expect() {
      expecting = true;
      watch();
    },

    ask(what, params, signal) {
      return new Promise((resolve, reject) => {
        if (closed || signal?.aborted) return reject(abortError());
        if (!present(kernel)) return reject(new NeedsKernel());
        const id = nextId++;
        const abort = (): void => {
          if (!drop(id)) return;
          send({ type: "cancel_ask", id });
          reject(abortError());
        };
        const settle = (): void => signal?.removeEventListener("abort", abort);
        pending.set(id, {
          resolve(answer) {
            settle();
            resolve(answer);
          },
          reject(reason) {
            settle();
            reject(reason);
          },
        });
        signal?.addEventListener("abort", abort);
        send({ type: "ask", id, what, params });
        watch();
      });
    },

    receive(reply, buffers) {
      heard();
      if (ping?.id === reply.id) ping = { ...ping, answered: true, open: reply.value };
      const waiting = drop(reply.id);
      if (!waiting) return;
      if (reply.error) return waiting.reject(new KernelError(reply.error));
      try {
        waiting.resolve({ value: reply.value, arrays: decodeArrays(reply.arrays, buffers) });
      } catch (broken) {
        waiting.reject(broken);
      }
    },

    close() {
      closed = true;
      rest();
      status.dispose();
      for (const id of [...pending.keys()]) {
        send({ type: "cancel_ask", id });
        drop(id)?.reject(abortError());
      }
    },
  };
}

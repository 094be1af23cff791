import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NeedsKernel } from "../../src/host/contract";
import { type LiveHost, liveHost } from "../../src/host/live";
import type { JobStatus } from "../../src/wire/types";
import { FakeModel } from "./fake-model";

const running: JobStatus = {
  job: 1,
  state: "running",
  fraction: 0,
  eta_s: null,
  message: "",
  paused: null,
};
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let fake: FakeModel;
let host: LiveHost;
beforeEach(() => {
  vi.useFakeTimers();
  fake = new FakeModel({ _core: "anywidget:core" });
});
afterEach(() => {
  host.dispose();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** The outcome of an ask so far. */
function outcome(answer: Promise<unknown>): () => unknown {
  let now: unknown = "waiting";
  answer.then(
    () => {
      now = "answered";
    },
    (reason: unknown) => {
      now = reason;
    },
  );
  return () => now;
}

/** JupyterLab's side of a kernel: its status, and the comm of the core. */
function lab(status: string) {
  let slot: () => void = () => {};
  const kernel = {
    status,
    statusChanged: {
      connect: (next: () => void) => {
        slot = next;
      },
      disconnect: () => {
        slot = () => {};
      },
    },
  };
  const core = { comm_live: true };
  fake.widget_manager = {
    kernel,
    get_model: async (id: string) => (id === "core" ? core : undefined),
  };
  return {
    core,
    become(next: string) {
      kernel.status = next;
      slot();
    },
  };
}

describe("a late answer", () => {
  test("is followed by a ping, then by a word to the page, and still taken", async () => {
    host = liveHost(fake.model);
    const answer = outcome(host.ask("head", {}));
    await pass(SECOND);
    expect(fake.asks("ping")).toHaveLength(1);
    expect(host.state.kernel).toBe("ready");
    await pass(SECOND);
    expect(host.state.kernel).toBe("busy");
    expect(host.live).toBe(true);
    expect(fake.asks("ping")).toHaveLength(1);
    fake.reply("head", 1);
    fake.reply("ping", null);
    await pass(0);
    expect(answer()).toBe("answered");
    expect(host.state.kernel).toBe("ready");
  });

  test("that a later ping has overtaken was lost", async () => {
    host = liveHost(fake.model);
    const lost = outcome(host.ask("head", {}));
    await pass(SECOND);
    fake.reply("ping", null);
    const younger = outcome(host.ask("row", {}));
    await pass(SECOND);
    expect(lost()).toMatchObject({ message: "The kernel's answer was lost. Try again." });
    expect(younger()).toBe("waiting");
    expect(host.state.kernel).toBe("ready");
  });

  test("that the kernel is still at is waited for, however many pings overtake it", async () => {
    host = liveHost(fake.model);
    const answer = outcome(host.ask("minimality", {}));
    const [id] = fake.asks("minimality").map((sent) => sent.id);
    for (let second = 0; second < 20; second++) {
      await pass(SECOND);
      fake.reply("ping", [id]);
    }
    expect(answer()).toBe("waiting");
    expect(host.state.kernel).toBe("ready");
    fake.reply("minimality", 1);
    await pass(0);
    expect(answer()).toBe("answered");
  });

  test("is waited for as long as a cell is known to run", async () => {
    const { become } = lab("busy");
    host = liveHost(fake.model);
    const answer = outcome(host.ask("head", {}));
    await pass(10 * MINUTE);
    expect(host.state.kernel).toBe("busy");
    expect(answer()).toBe("waiting");
    become("idle");
    fake.reply("head", 1);
    await pass(0);
    expect(answer()).toBe("answered");
    expect(host.state.kernel).toBe("ready");
  });

  test("with no reason known is given up, until the kernel speaks again", async () => {
    host = liveHost(fake.model);
    const answer = outcome(host.ask("head", {}));
    await pass(29 * SECOND);
    expect(answer()).toBe("waiting");
    await pass(SECOND);
    expect(answer()).toBeInstanceOf(NeedsKernel);
    expect(host.state.kernel).toBe("silent");
    expect(host.live).toBe(false);
    await expect(host.ask("head", {})).rejects.toThrow(NeedsKernel);
    expect(fake.asks("head")).toHaveLength(1);
    fake.reply("ping", null);
    expect(host.live).toBe(true);
    const again = outcome(host.ask("head", {}));
    fake.reply("head", 1);
    await pass(0);
    expect(again()).toBe("answered");
  });
});

describe("an edit", () => {
  test("that nothing comes of raises the question whether a kernel is there", async () => {
    host = liveHost(fake.model);
    host.setPrompt("a dog");
    await pass(2 * SECOND);
    expect(fake.asks("ping")).toHaveLength(1);
    expect(host.state.kernel).toBe("busy");
    fake.set("_status", running);
    expect(host.state.kernel).toBe("ready");
  });

  test("that is taken up costs no ping", async () => {
    host = liveHost(fake.model);
    host.setPrompt("a dog");
    fake.set("_status", running);
    await pass(5 * SECOND);
    expect(fake.asks("ping")).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is not taken where nobody would answer it", async () => {
    host = liveHost(fake.model);
    fake.cut();
    await pass(0);
    host.setPrompt("a dog");
    host.setSelection({ layer: 2 });
    expect(host.state.prompt).toBe("the cat");
    expect(host.state.selection.layer).toBe(2);
  });
});

describe("a kernel that is gone", () => {
  test("is noticed when the front end closes the comm", async () => {
    host = liveHost(fake.model);
    const answer = outcome(host.ask("head", {}));
    fake.cut();
    await pass(0);
    expect(host.state.kernel).toBe("gone");
    expect(answer()).toBeInstanceOf(NeedsKernel);
  });

  test("is noticed when nothing can be sent, which no listener sees as an error", async () => {
    host = liveHost(fake.model);
    const listener = vi.fn();
    host.subscribe(listener);
    fake.closed = true;
    await expect(host.ask("head", {})).rejects.toThrow(NeedsKernel);
    expect(host.live).toBe(false);
    expect(listener).toHaveBeenCalledTimes(1);
    host.rerun();
    host.cancel();
  });

  test.each(["dead", "unknown"])("is noticed when JupyterLab calls it %s", async (status) => {
    const { become } = lab("idle");
    host = liveHost(fake.model);
    fake.closed = true;
    become(status);
    await pass(0);
    expect(host.state.kernel).toBe("gone");
  });

  test("is not concluded from a line that was only interrupted", async () => {
    const { become } = lab("idle");
    host = liveHost(fake.model);
    become("unknown");
    await pass(0);
    become("idle");
    fake.reply("ping", null);
    expect(host.state.kernel).toBe("ready");
  });

  test("was never there for a widget of a notebook's stored state", async () => {
    lab("idle").core.comm_live = false;
    host = liveHost(fake.model);
    await pass(0);
    expect(host.state.kernel).toBe("gone");
  });
});

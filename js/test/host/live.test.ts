import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KernelError } from "../../src/host/line";
import { liveHost } from "../../src/host/live";
import type { JobStatus } from "../../src/wire/types";
import { golden } from "../wire/golden";
import { FakeModel } from "./fake-model";

const status = (job: number, state: JobStatus["state"], fraction = 0): JobStatus => ({
  job,
  state,
  fraction,
  eta_s: null,
  message: "",
  paused: null,
});

const frames: (() => void)[] = [];
beforeEach(() => {
  frames.length = 0;
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => frames.push(callback));
});
afterEach(() => vi.unstubAllGlobals());

describe("state", () => {
  test("follows the traits and tells its listeners", () => {
    const fake = new FakeModel({ _fields: [field("answer")], answer: " Mary" });
    const host = liveHost(fake.model);
    const listener = vi.fn();
    host.subscribe(listener);
    expect(host.state.values).toEqual({ answer: " Mary" });
    fake.set("answer", " John");
    expect(host.state.values).toEqual({ answer: " John" });
    fake.set("selection", { ...host.state.selection, layer: 2 });
    expect(host.state.selection.layer).toBe(2);
    expect(listener).toHaveBeenCalledTimes(2);
    expect(fake.saves).toEqual([]);
  });

  test("fields that come later are watched too", () => {
    const fake = new FakeModel({ by: "head" });
    const host = liveHost(fake.model);
    fake.set("_fields", [field("by")]);
    fake.set("by", "source");
    expect(host.state.values).toEqual({ by: "source" });
  });

  test("a result is decoded once for all views of the model", () => {
    const fake = new FakeModel({ _result: golden("grid") });
    const [one, two] = [liveHost(fake.model), liveHost(fake.model)];
    expect(one.state.result?.kind).toBe("grid");
    expect(two.state.result).toBe(one.state.result);
    expect(two.state.resultId).toBe(one.state.resultId);
    fake.set("_result", golden("patterns"));
    expect(one.state.result?.kind).toBe("patterns");
    expect(two.state.result).toBe(one.state.result);
    expect(one.state.resultId).toBeGreaterThan(0);
  });

  test("a result that does not decode is an error beside the last good one", () => {
    const fake = new FakeModel({ _result: golden("grid") });
    const host = liveHost(fake.model);
    const { result, resultId } = host.state;
    const broken = golden("grid");
    broken.header.version = 99;
    fake.set("_result", broken);
    expect(host.state.error?.kind).toBe("WireError");
    expect(host.state.error?.message).toMatch(/version 99/);
    expect(host.state.result).toBe(result);
    expect(host.state.resultId).toBe(resultId);
  });
});

describe("writes", () => {
  test("one save for all that changes in one turn", async () => {
    const fake = new FakeModel({ _fields: [field("by")], by: "head" });
    const host = liveHost(fake.model);
    host.setPrompt("a dog");
    host.setField("by", "source");
    host.setSelection({ layer: 1 });
    host.setSelection({ head: 4 });
    host.setView({ heatmap_measure: "rank" });
    expect(host.state.prompt).toBe("a dog");
    expect(fake.saves).toHaveLength(0);
    await Promise.resolve();
    expect(fake.saves).toHaveLength(1);
    expect(fake.saves[0]).toMatchObject({
      prompt: "a dog",
      by: "source",
      selection: { layer: 1, head: 4, dest: null },
      view: { heatmap_measure: "rank" },
    });
  });

  test("what changes nothing is not saved", async () => {
    const fake = new FakeModel({ selection: { layer: 1, head: null } });
    const host = liveHost(fake.model);
    host.setPrompt("the cat");
    host.setSelection({ layer: 1 });
    await Promise.resolve();
    expect(fake.saves).toHaveLength(0);
  });

  test("the other views of the model see it", () => {
    const fake = new FakeModel();
    const [one, two] = [liveHost(fake.model), liveHost(fake.model)];
    one.setSelection({ token: 3 });
    expect(two.state.selection.token).toBe(3);
  });

  test("a write just before the view closes is saved", async () => {
    const fake = new FakeModel();
    const host = liveHost(fake.model);
    host.setPrompt("last words");
    host.dispose();
    await Promise.resolve();
    expect(fake.saves.map((save) => save.prompt)).toEqual(["last words"]);
  });
});

describe("ask", () => {
  test("resolves with JSON and arrays, from a buffer at any offset", async () => {
    const fake = new FakeModel();
    const answer = liveHost(fake.model).ask("row", { layer: 0 });
    expect(fake.asks("row")[0]?.params).toEqual({ layer: 0 });
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, 0.5, true);
    new DataView(bytes.buffer).setFloat32(5, -2, true);
    const id = fake.asks("row")[0]?.id ?? -1;
    fake.receive(
      {
        type: "reply",
        id,
        ok: true,
        value: { note: 1 },
        arrays: [{ dtype: "float32", shape: [2] }],
        error: null,
      },
      [new DataView(bytes.buffer, 1)],
    );
    const { value, arrays } = await answer;
    expect(value).toEqual({ note: 1 });
    expect([...(arrays[0]?.data ?? [])]).toEqual([0.5, -2]);
  });

  test("views of one model do not take each other's replies", async () => {
    const fake = new FakeModel();
    const [one, two] = [liveHost(fake.model), liveHost(fake.model)];
    const first = one.ask("cell", { row: 1 });
    const second = two.ask("cell", { row: 2 });
    const [a, b] = fake.asks("cell");
    expect(a?.id).not.toBe(b?.id);
    reply(fake, b?.id, "two");
    reply(fake, a?.id, "one");
    expect((await first).value).toBe("one");
    expect((await second).value).toBe("two");
  });

  test("rejects with the kernel's error", async () => {
    const fake = new FakeModel();
    const answer = liveHost(fake.model).ask("cell", {});
    const error = { kind: "PromptError", message: "No such cell.", hint: "Try 0." };
    fake.reply("cell", null, { ok: false, error });
    await expect(answer).rejects.toThrow(KernelError);
    await expect(answer).rejects.toMatchObject({ message: "No such cell.", info: error });
  });

  test("rejects what does not decode", async () => {
    const fake = new FakeModel();
    const answer = liveHost(fake.model).ask("row", {});
    fake.reply("row", null, { arrays: [{ dtype: "float32", shape: [2] }] });
    await expect(answer).rejects.toThrow(/1 arrays are announced, 0 buffers/);
  });

  test("abort tells the kernel once, and a late reply is ignored", async () => {
    const fake = new FakeModel();
    const host = liveHost(fake.model);
    const controller = new AbortController();
    const answer = host.ask("head", { layer: 0, head: 0 }, controller.signal);
    controller.abort();
    await expect(answer).rejects.toMatchObject({ name: "AbortError" });
    const id = fake.asks("head")[0]?.id;
    expect(fake.sent.filter((m) => m.type === "cancel_ask")).toEqual([{ type: "cancel_ask", id }]);
    reply(fake, id, "late");
    controller.abort();
    expect(fake.sent).toHaveLength(2);
  });

  test("an abort after the reply sends nothing", async () => {
    const fake = new FakeModel();
    const controller = new AbortController();
    const answer = liveHost(fake.model).ask("cell", {}, controller.signal);
    fake.reply("cell", 1);
    await answer;
    controller.abort();
    expect(fake.sent).toHaveLength(1);
  });

  test("an aborted signal asks nothing", async () => {
    const fake = new FakeModel();
    const answer = liveHost(fake.model).ask("cell", {}, AbortSignal.abort());
    await expect(answer).rejects.toMatchObject({ name: "AbortError" });
    expect(fake.sent).toHaveLength(0);
  });
});

describe("jobs", () => {
  test("progress is shown and acknowledged once it can be drawn", () => {
    const fake = new FakeModel({ _status: status(1, "running") });
    const host = liveHost(fake.model);
    fake.receive({ type: "progress", status: status(1, "running", 0.4) });
    expect(host.state.status.fraction).toBe(0.4);
    expect(fake.sent).toEqual([]);
    for (const frame of frames) frame();
    expect(fake.sent).toEqual([{ type: "ack_progress" }]);
  });

  test("another trait's change does not set progress back", () => {
    const fake = new FakeModel({ _status: status(1, "running") });
    const host = liveHost(fake.model);
    fake.receive({ type: "progress", status: status(1, "running", 0.4) });
    host.setSelection({ layer: 1 });
    expect(host.state.status.fraction).toBe(0.4);
    fake.set("_status", status(1, "done", 1));
    expect(host.state.status).toEqual(status(1, "done", 1));
  });

  test("late progress of an ended or older job is ignored", () => {
    const fake = new FakeModel({ _status: status(2, "done", 1) });
    const host = liveHost(fake.model);
    fake.receive({ type: "progress", status: status(2, "running", 0.9) });
    fake.receive({ type: "progress", status: status(1, "running", 0.9) });
    expect(host.state.status).toEqual(status(2, "done", 1));
    fake.receive({ type: "progress", status: status(3, "running", 0.1) });
    expect(host.state.status).toEqual(status(3, "running", 0.1));
  });

  test("a result that was put down under the page is asked for, once a job is done", () => {
    const fake = new FakeModel({ _result: golden("grid"), _status: status(1, "done", 1) });
    const host = liveHost(fake.model);
    expect(fake.sent).toEqual([]);
    fake.set("_result", {});
    expect(fake.sent).toEqual([{ type: "need_result" }]);
    fake.set("_status", status(2, "running"));
    expect(fake.sent).toHaveLength(1);
    fake.set("_status", status(2, "done", 1));
    expect(fake.sent).toHaveLength(2);
    host.dispose();
    expect(fake.listening()).toBe(0);
  });

  test("cancel and run again", () => {
    const fake = new FakeModel();
    const host = liveHost(fake.model);
    host.cancel();
    host.rerun();
    expect(fake.sent).toEqual([{ type: "cancel_job" }, { type: "run_job" }]);
  });
});

test("dispose leaves no listener and nothing pending", async () => {
  const fake = new FakeModel({ _fields: [field("by")], by: "head" });
  const host = liveHost(fake.model);
  const answer = host.ask("cell", {});
  host.dispose();
  await expect(answer).rejects.toMatchObject({ name: "AbortError" });
  expect(fake.sent.at(-1)).toMatchObject({ type: "cancel_ask" });
  expect(fake.listening()).toBe(0);
  await expect(host.ask("cell", {})).rejects.toMatchObject({ name: "AbortError" });
});

function field(name: string) {
  return { name, title: name, type: "token", choices: [], help: "", when: [] };
}

function reply(fake: FakeModel, id: number | undefined, value: unknown): void {
  fake.receive({ type: "reply", id: id ?? -1, ok: true, value, arrays: [], error: null });
}

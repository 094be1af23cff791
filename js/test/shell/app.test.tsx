// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decodeResult } from "../../src/wire/decode";
import type { JobStatus } from "../../src/wire/types";
import { FakeModel } from "../host/fake-model";
import { golden } from "../wire/golden";
import { type Opened, open, press, type, wait } from "./open";

vi.mock("../../src/views", () => import("./views"));

let page: Opened | undefined;
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  page?.close();
  page = undefined;
  delete document.body.dataset.jpThemeLight;
  vi.useRealTimers();
});

const ANNOUNCED_MS = 150;

async function show(traits: Record<string, unknown> = {}): Promise<[FakeModel, Opened]> {
  const fake = new FakeModel({ _result: golden("grid"), _status: done, ...traits });
  page = await open(fake);
  return [fake, page];
}

const done: JobStatus = {
  job: 1,
  state: "done",
  fraction: 1,
  eta_s: null,
  message: "",
  paused: null,
};
const running: JobStatus = {
  job: 2,
  state: "running",
  fraction: 0.25,
  eta_s: 3.2,
  message: "Layer 3",
  paused: null,
};

/** A computation begins, and goes on long enough to be told of. */
async function announced(fake: FakeModel, status: JobStatus = running): Promise<void> {
  await act(() => fake.set("_status", status));
  await wait(ANNOUNCED_MS);
}

describe("the result", () => {
  test("is drawn by the view of its kind, with width and theme", async () => {
    document.body.dataset.jpThemeLight = "false";
    const [, { find }] = await show();
    expect(find(".view").textContent).toBe("grid Golden grid  800 dark true");
    expect(find(".hs-title").textContent).toContain("golden · float32 · weights as trained");
  });

  test("follows the theme", async () => {
    document.body.dataset.jpThemeLight = "false";
    const [, { find }] = await show();
    document.body.dataset.jpThemeLight = "true";
    await wait(20);
    expect(find(".hs-root").dataset.theme).toBe("light");
  });

  test("is not redrawn while the page has no layout, and is once it has", async () => {
    document.body.dataset.jpThemeLight = "false";
    const [, { find }] = await show();
    const width = vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(0);
    document.body.dataset.jpThemeLight = "true";
    await wait(0);
    expect(find(".hs-root").dataset.theme).toBe("light");
    expect(find(".view").textContent).toContain("dark");
    width.mockReturnValue(800);
    await wait(20);
    await wait(20);
    expect(find(".view").textContent).toContain("light");
  });

  test("a pin goes to the kernel and comes back to the view", async () => {
    const [fake, { find }] = await show();
    await act(() => find(".view").click());
    expect(fake.saves.map((save) => save.selection)).toMatchObject([{ layer: 1 }]);
    expect(find(".view").textContent).toContain("Golden grid 1");
  });

  test("a view that fails shows an error, and the next result is drawn", async () => {
    const broken = golden("grid");
    broken.header.data.title = "Broken";
    const [fake, { find }] = await show({ _result: broken });
    expect(find(".hs-error").textContent).toContain("This view cannot draw.");
    expect(find<HTMLTextAreaElement>("textarea").value).toBe("the cat");
    await act(() => fake.set("_result", golden("patterns")));
    expect(find(".view").textContent).toContain("patterns");
  });

  test("provenance opens to token ids and both conventions", async () => {
    const [, { find, all }] = await show();
    const details = find<HTMLDetailsElement>(".hs-provenance");
    expect(details.textContent).toContain("Run under hooks of yours.");
    await act(() => {
      details.open = true;
      details.dispatchEvent(new Event("toggle"));
    });
    expect(details.textContent).toContain("Positive raises the answer's logit.");
    expect(details.textContent).toContain("1 is certainty.");
    expect(details.textContent).toContain("blocks.0.hook_out");
    expect(all(".hs-ids li").map((li) => li.textContent)).toContain("⏎ 10");
  });
});

describe("a computation", () => {
  test("shows progress, dims the last picture and says of which prompt it is", async () => {
    const [fake, { find, all, button }] = await show();
    await announced(fake);
    expect(find(".hs-status").textContent).toContain("Layer 3, 25%, 3 s left");
    expect(find<HTMLProgressElement>("progress").value).toBe(0.25);
    expect(find(".hs-stage").className).toContain("hs-outdated");
    expect(find(".hs-previous").textContent).toBe(
      "Still shows ·the⏎</script><img src=x onerror=alert(1)> thené\ufffd·",
    );
    await act(() => button("Cancel").click());
    expect(fake.sent.at(-1)).toEqual({ type: "cancel_job" });
    await act(() => fake.set("_status", { ...running, state: "cancelled" }));
    expect(all(".hs-outdated, progress")).toEqual([]);
    expect(find(".hs-previous").textContent).toContain("Still shows");
    await act(() => button("Run again").click());
    expect(fake.sent.at(-1)).toEqual({ type: "run_job" });
    await act(() => fake.set("_status", { ...running, state: "done" }));
    expect(all(".hs-previous")).toEqual([]);
  });

  test("what arrives while it runs is its own, and neither dimmed nor called an older one", async () => {
    const [fake, { all }] = await show();
    await announced(fake);
    expect(all(".hs-outdated, .hs-previous")).toHaveLength(2);
    await act(() => fake.set("_result", golden("grid")));
    expect(all(".hs-outdated, .hs-previous")).toEqual([]);
    await act(() => fake.set("_status", { ...running, state: "cancelled" }));
    expect(all(".hs-previous")).toEqual([]);
    await announced(fake, { ...running, job: 3 });
    expect(all(".hs-outdated, .hs-previous")).toHaveLength(2);
  });

  test("that is over at once is not announced", async () => {
    const [fake, { find, all }] = await show();
    const drawn = vi.fn();
    const watch = new MutationObserver(drawn);
    watch.observe(find(".hs-stage"), { attributes: true });
    await act(() => fake.set("_status", running));
    await act(() => fake.set("_status", { ...running, state: "done" }));
    await wait(ANNOUNCED_MS);
    expect(drawn).not.toHaveBeenCalled();
    expect(all(".hs-outdated, progress")).toEqual([]);
  });

  test("can be paused where the kernel says so, and goes on", async () => {
    const [fake, { all, button }] = await show({ _status: running });
    expect(all("button").map((b) => b.textContent)).not.toContain("Pause");
    await act(() => fake.set("_status", { ...running, paused: false }));
    await act(() => button("Pause").click());
    expect(fake.asks("pause")).toHaveLength(1);
    await act(() => fake.set("_status", { ...running, paused: true }));
    await act(() => button("Resume").click());
    expect(fake.asks("resume")).toHaveLength(1);
    expect(button("Cancel").disabled).toBe(false);
  });

  test("an error is shown with its hint, beside the last picture", async () => {
    const _error = { kind: "PromptError", message: "Too long.", hint: "hs.load(...)" };
    const [, { find, button }] = await show({ _error, _status: { ...running, state: "error" } });
    expect(find(".hs-error").textContent).toBe("PromptError Too long.hs.load(...)");
    expect(find(".hs-error").getAttribute("role")).toBe("alert");
    expect(find(".view").textContent).toContain("Golden grid");
    expect(button("Run again").disabled).toBe(false);
  });

  test("its end is told to screen readers, an old end is not", async () => {
    const [fake, { find }] = await show({ _status: { ...running, state: "done" } });
    expect(find("[role=status]").textContent).toBe("");
    await act(() => fake.set("_status", { ...running, job: 3 }));
    await act(() => fake.set("_status", { ...running, job: 3, state: "done" }));
    expect(find("[role=status]").textContent).toBe("The result is up to date");
  });
});

describe("the kernel", () => {
  test("when gone is said, what needs it is disabled, and the rest goes on", async () => {
    const [fake, { find, all, button }] = await show({ _status: running });
    await type(find<HTMLTextAreaElement>("textarea"), "half a tho");
    await act(() => fake.cut());
    await wait(1_000);
    expect(find(".hs-badge").textContent).toBe("No kernel: run the cell again");
    expect(find("[role=status]").textContent).toBe("No kernel: run the cell again");
    expect(find<HTMLTextAreaElement>("textarea").disabled).toBe(true);
    expect(find<HTMLTextAreaElement>("textarea").value).toBe("half a tho");
    expect(button("Generate next token").disabled).toBe(true);
    // Nothing looks as if it were still being computed.
    expect(all(".hs-outdated, progress, [aria-busy=true]")).toEqual([]);
    expect(find(".hs-previous").textContent).toContain("Still shows");
    await act(() => find(".view").click());
    expect(find(".view").textContent).toBe("grid Golden grid 1 800 light false");
  });

  test("when busy is said, and its return takes the word back", async () => {
    const [fake, { find, all }] = await show();
    await wait(3_000); // the question for the prompt's tokens is not answered
    expect(find(".hs-badge").textContent).toBe("Kernel busy, waiting");
    expect(find<HTMLTextAreaElement>("textarea").disabled).toBe(false);
    await act(() => fake.reply("tokenize", null));
    expect(all(".hs-badge")).toEqual([]);
    expect(find("[role=status]").textContent).toBe("The kernel answers again");
  });
});

describe("tokens of the prompt", () => {
  const { provenance } = decodeResult(golden("grid"));
  const ranText = provenance.prompts[0]?.text ?? "";
  const preview = { tokens: ["cut"], token_ids: [1], n_ctx: 64, error: null };

  test("are those that ran, not those that the text would have", async () => {
    const [fake, { find, all }] = await show();
    await wait(60);
    fake.reply("tokenize", preview);
    await wait(0);
    expect(all(".hs-tokens .hs-token")).toHaveLength(7);
    expect(find(".hs-count").textContent).toBe("7 / 64 tokens");
  });

  test("are those that ran also while something else of it is computed", async () => {
    const [fake, { all }] = await show();
    await act(() => fake.set("prompt", ranText));
    await wait(60);
    fake.reply("tokenize", preview);
    await announced(fake);
    expect(all(".hs-outdated")).toHaveLength(1);
    expect(all(".hs-tokens .hs-token")).toHaveLength(7);
  });

  test("are the preview while the prompt is edited or still runs", async () => {
    const [fake, { find, all }] = await show();
    await type(find<HTMLTextAreaElement>("textarea"), "cut");
    await wait(60);
    fake.reply("tokenize", preview);
    await wait(0);
    const shown = (): (string | null)[] => all(".hs-tokens .hs-token").map((t) => t.textContent);
    expect(shown()).toEqual(["cut"]);
    await press(find("textarea"), "Enter");
    expect(shown()).toEqual(["cut"]);
    await act(() => fake.set("_status", running));
    expect(shown()).toEqual(["cut"]);
    await act(() => fake.set("_status", { ...running, state: "done" }));
    expect(shown()).toHaveLength(7);
  });
});

describe("next tokens", () => {
  test("a click appends, once until the answer is there", async () => {
    const [fake, { button }] = await show();
    await act(() => button("Append ·the 50.0%").click());
    await act(() => button("Append ⏎ 25.0%").click());
    expect(fake.asks("extend").map((ask) => ask.params)).toEqual([{ token_id: 5 }]);
    await act(() => fake.reply("extend", { prompt: "x the" }));
    await wait(0);
    await act(() => button("Generate next token").click());
    expect(fake.asks("extend").at(-1)?.params).toEqual({ token_id: null });
  });

  test("say why one could not be appended", async () => {
    const [fake, { button, all }] = await show();
    await act(() => button("Generate next token").click());
    const error = { kind: "PromptError", message: "The context is full.", hint: "" };
    await act(() => fake.reply("extend", null, { ok: false, error }));
    await wait(0);
    expect(all("[role=alert]").map((alert) => alert.textContent)).toEqual(["The context is full."]);
    await act(() => button("Generate next token").click());
    expect(all("[role=alert]")).toEqual([]);
  });

  test("cannot be appended to a prompt they do not belong to", async () => {
    const [fake, { button, find }] = await show();
    await type(find<HTMLTextAreaElement>("textarea"), "something else");
    await act(() => button("Append ·the 50.0%").click());
    await press(find("textarea"), "Enter");
    await act(() => button("Append ·the 50.0%").click());
    await act(() => fake.set("_status", running));
    await act(() => button("Append ·the 50.0%").click());
    expect(fake.asks("extend")).toEqual([]);
    expect(button("Append ·the 50.0%").getAttribute("aria-disabled")).toBe("true");
  });
});

describe("fields", () => {
  const choice = (value: string) => ({ value, title: value.toUpperCase() });
  const spec = (name: string, type: string, values: string[] = []) => ({
    name,
    title: name,
    type,
    choices: values.map(choice),
    help: `About ${name}`,
    when: [] as Record<string, string[]>[],
  });

  test("each type has its control, and a change is one save of its trait", async () => {
    const [fake, { find, all }] = await show({
      _fields: [
        spec("by", "choice", ["head", "source"]),
        spec("read_out", "choice", ["a".repeat(30), "b".repeat(30)]),
        spec("position", "integer"),
        spec("answer", "token"),
        spec("receivers", "line"),
        spec("exact", "flag"),
      ],
      by: "head",
      read_out: "a".repeat(30),
      position: -1,
      answer: " Mary",
      receivers: "logits",
      exact: false,
    });
    await act(() => find("input[type=radio][value=source]").click());
    expect(fake.saves.at(-1)?.by).toBe("source");
    const menu = find<HTMLSelectElement>("select");
    expect(menu.value).toBe("a".repeat(30));
    await act(() => {
      menu.value = "b".repeat(30);
      menu.dispatchEvent(new Event("change", { bubbles: true }));
    });
    expect(fake.saves.at(-1)?.read_out).toBe("b".repeat(30));
    await act(() => find("input[type=checkbox]").click());
    expect(fake.saves.at(-1)?.exact).toBe(true);

    const [position, answer, receivers] = all("input.hs-input") as HTMLInputElement[];
    if (!position || !answer || !receivers) throw new Error("There are no text fields.");
    await type(position, "12");
    await press(position, "Enter");
    expect(fake.saves.at(-1)?.position).toBe(12);
    await type(answer, " John");
    expect(all(".hs-control > .hs-token").map((t) => t.textContent)).toEqual(["·John"]);
    await act(() => fake.set("answer", " Anna"));
    expect(answer.value).toBe(" John");
    await press(answer, "Enter");
    expect(fake.saves.at(-1)?.answer).toBe(" John");
    await type(receivers, "L9H6.q, L9H9.q");
    await press(receivers, "Enter");
    expect(fake.saves.at(-1)?.receivers).toBe("L9H6.q, L9H9.q");
    expect(all(".hs-control > .hs-token")).toHaveLength(1); // names are no tokens
    expect(fake.saves).toHaveLength(6);
  });

  test("what is no whole number is put back", async () => {
    const [fake, { find }] = await show({ _fields: [spec("position", "integer")], position: 3 });
    const box = find<HTMLInputElement>("input.hs-input");
    await type(box, "3.5");
    expect(box.getAttribute("aria-invalid")).toBe("true");
    await press(box, "Enter");
    expect(box.value).toBe("3");
    expect(fake.saves).toEqual([]);
  });
});

test("two views of one widget share selection, not drafts", async () => {
  const [fake, one] = await show();
  const two = await open(fake);
  await type(one.find<HTMLTextAreaElement>("textarea"), "draft");
  await act(() => one.find(".view").click());
  expect(two.find(".view").textContent).toContain("Golden grid 1");
  expect(two.find<HTMLTextAreaElement>("textarea").value).toBe("the cat");
  two.close();
});

test("closing leaves nothing behind", async () => {
  const [fake, { close }] = await show();
  close();
  expect(fake.listening()).toBe(0);
  expect(document.querySelector(".headscope")).toBeNull();
});

test("a model that cannot be read shows an error instead of a blank cell", async () => {
  const [, { find }] = await show({ _fields: null });
  expect(find(".hs-error").textContent).not.toBe("");
});

test("with no model there is no prompt, no next token and no kernel to be told of", async () => {
  const done: JobStatus = {
    job: 0,
    state: "done",
    fraction: 1,
    eta_s: null,
    message: "",
    paused: null,
  };
  const payload = golden("grid");
  const plain = new FakeModel({ _result: payload, _status: done });
  const prompted = await open(plain);
  expect(prompted.all("textarea, .hs-next")).not.toEqual([]);
  prompted.close();
  const page = await open(new FakeModel({ _result: payload, _status: done, prompt: null }));
  expect(page.all("textarea, .hs-next, .hs-badge, .hs-status")).toEqual([]);
  expect(page.find(".hs-title").textContent).toContain("golden · float32");
  page.close();
});

test("what is out of sight is drawn for paper", async () => {
  page = await open(new FakeModel({ _result: golden("grid"), _status: done }), false);
  const print = (type: string) => act(() => void dispatchEvent(new Event(type)));
  expect(page.all(".view")).toEqual([]);
  await print("beforeprint");
  expect(page.all(".view")).toHaveLength(1);
});

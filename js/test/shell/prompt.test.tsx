// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeModel } from "../host/fake-model";
import { type Opened, open, press, type, wait } from "./open";

vi.mock("../../src/views", () => import("./views"));

let fake: FakeModel;
let page: Opened;
let box: HTMLTextAreaElement;

beforeEach(async () => {
  vi.useFakeTimers();
  fake = new FakeModel({ prompt: "the cat" });
  page = await open(fake);
  box = page.find<HTMLTextAreaElement>("textarea");
});
afterEach(() => {
  page.close();
  vi.useRealTimers();
});

const preview = (tokens: string[], extra: object = {}) => ({
  tokens,
  token_ids: tokens.map((_, i) => i),
  n_ctx: 4,
  error: null,
  ...extra,
});
const chips = (): (string | null)[] => page.all(".hs-tokens .hs-token").map((c) => c.textContent);
const texts = (): unknown[] => fake.asks("tokenize").map((ask) => ask.params.text);

describe("preview", () => {
  test("asks after a short pause, for the last text only, and gives up the older question", async () => {
    await type(box, "the d");
    await wait(30);
    await type(box, "the do");
    await wait(60);
    expect(texts()).toEqual(["the do"]);
    await type(box, "the dog");
    expect(fake.sent.at(-1)?.type).toBe("cancel_ask");
    await wait(60);
    expect(texts()).toEqual(["the do", "the dog"]);
  });

  test("shows the tokens with visible glyphs, as text, and how many fit", async () => {
    await type(box, "x");
    await wait(60);
    fake.reply("tokenize", preview([" the", "\n", "<img src=x>"]));
    await wait(0);
    expect(chips()).toEqual(["·the", "⏎", "<img src=x>"]);
    expect(page.all("img")).toEqual([]);
    expect(page.find(".hs-count").textContent).toBe("3 / 4 tokens");
  });

  test("says what is wrong with the text and does not run it by itself", async () => {
    await type(box, "far too long");
    await wait(60);
    const error = { kind: "PromptError", message: "5 tokens, the model takes 4.", hint: "Cut it." };
    fake.reply("tokenize", preview(["a", "b", "c", "d", "e"], { error }));
    await wait(0);
    await wait(2000);
    expect(page.find(".hs-refused").textContent).toContain("5 tokens, the model takes 4.");
    expect(page.find(".hs-count").className).toContain("hs-over");
    expect(fake.saves).toEqual([]);
    expect(box.value).toBe("far too long");
  });
});

describe("running", () => {
  test("Enter runs at once, with one save", async () => {
    await type(box, "a dog");
    const event = await press(box, "Enter");
    await wait(2000);
    expect(event.defaultPrevented).toBe(true);
    expect(fake.saves.map((save) => save.prompt)).toEqual(["a dog"]);
  });

  test("a pause runs, typing puts it off", async () => {
    await type(box, "a do");
    await wait(500);
    await type(box, "a dog");
    await wait(500);
    expect(fake.saves).toEqual([]);
    await wait(100);
    expect(fake.saves.map((save) => save.prompt)).toEqual(["a dog"]);
  });

  test("Shift+Enter is left to the text box", async () => {
    await type(box, "a dog");
    const event = await press(box, "Enter", { shiftKey: true });
    expect(event.defaultPrevented).toBe(false);
    expect(fake.get("prompt")).toBe("the cat");
  });

  test("Esc goes back to the prompt that ran", async () => {
    await type(box, "a dog");
    await press(box, "Escape");
    await wait(2000);
    expect(box.value).toBe("the cat");
    expect(fake.saves).toEqual([]);
  });

  test("nothing runs while an input method composes", async () => {
    await act(() => void box.dispatchEvent(new CompositionEvent("compositionstart")));
    await type(box, "に");
    await press(box, "Enter", { isComposing: true });
    await wait(2000);
    expect(fake.saves).toEqual([]);
    await act(() => void box.dispatchEvent(new CompositionEvent("compositionend")));
    await wait(600);
    expect(fake.saves.map((save) => save.prompt)).toEqual(["に"]);
  });

  test("an empty box does not run by itself", async () => {
    await type(box, "");
    await wait(2000);
    expect(fake.saves).toEqual([]);
  });
});

describe("the kernel's prompt", () => {
  test("is followed while nobody types", async () => {
    await act(() => fake.set("prompt", "the cat sat"));
    expect(box.value).toBe("the cat sat");
  });

  test("never overwrites what is being typed", async () => {
    await type(box, "a d");
    await act(() => fake.set("prompt", "the cat sat"));
    expect(box.value).toBe("a d");
    await press(box, "Escape");
    expect(box.value).toBe("the cat sat");
  });
});

describe("a second prompt", () => {
  const field = {
    name: "corrupted",
    title: "Corrupted",
    type: "text",
    choices: [],
    help: "",
    when: [],
  };

  beforeEach(async () => {
    page.close();
    fake = new FakeModel({ prompt: "the cat", _fields: [field], corrupted: "a cat" });
    page = await open(fake);
    box = page.find<HTMLTextAreaElement>("textarea[aria-label=Corrupted]");
  });

  test("has the same look as the first one, and its tokens previewed", async () => {
    expect(page.all(".hs-prompt > .hs-label").map((l) => l.textContent)).toEqual([
      "Clean",
      "Corrupted",
    ]);
    expect(page.find<HTMLTextAreaElement>("textarea[aria-label=Prompt]").value).toBe("the cat");
    await wait(60);
    expect(texts()).toEqual(["the cat", "a cat"]);
    expect(page.all(".hs-toolbar")).toEqual([]);
  });

  test("is taken on Enter and on leaving, not while typing rests", async () => {
    await type(box, "a dog");
    await wait(2_000);
    expect(fake.saves).toEqual([]);
    await press(box, "Enter");
    await wait(0);
    expect(fake.saves.at(-1)).toMatchObject({ prompt: "the cat", corrupted: "a dog" });
    await type(box, "a cow");
    await act(() => void box.dispatchEvent(new FocusEvent("blur")));
    await wait(0);
    expect(fake.saves.at(-1)).toMatchObject({ corrupted: "a cow" });
    expect(fake.saves).toHaveLength(2);
  });

  test("may be emptied", async () => {
    await type(box, "");
    await press(box, "Enter");
    await wait(0);
    expect(fake.saves.at(-1)).toMatchObject({ corrupted: "" });
  });
});

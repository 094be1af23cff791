// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOTHING } from "../../src/state/selection";
import { AttentionView } from "../../src/views/attention";
import type { ViewProps } from "../../src/views/contract";
import type { Patterns, Selection } from "../../src/wire/types";
import { array, patterns, weightsOf } from "./patterns";

let root: HTMLElement;
let options: Record<string, unknown>;
let selection: Selection;
let said: string[];
let ask: ReturnType<typeof vi.fn<ViewProps["ask"]>>;

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  options = {};
  selection = NOTHING;
  said = [];
  ask = vi.fn<ViewProps["ask"]>(async (what, params) => {
    const [layer, head] = [Number(params.layer), Number(params.head)];
    const weights = weightsOf(layer, head, 5);
    const dest = Number(params.dest);
    return what === "row"
      ? { value: null, arrays: [array("float32", [5], weights.slice(dest * 5, dest * 5 + 5))] }
      : { value: null, arrays: [array("float16", [5, 5], weights)] };
  });
});
afterEach(() => {
  render(null, root);
  root.remove();
});

/** Shows the view as a shell would: what it sets comes back with the next render. */
async function show(result: Patterns, more: Partial<ViewProps<Patterns>> = {}): Promise<void> {
  const draw = (): void => {
    render(
      <AttentionView
        result={result}
        resultId={1}
        job={1}
        selection={selection}
        select={(patch) => {
          selection = { ...selection, ...patch };
          draw();
        }}
        options={options}
        setOption={(name, value) => {
          options = { ...options, [name]: value };
          draw();
        }}
        ask={ask}
        live={true}
        theme="light"
        width={1000}
        marks={{}}
        setMark={() => {}}
        asks={[]}
        announce={(text) => said.push(text)}
        {...more}
      />,
      root,
    );
  };
  await act(draw);
}

const find = (selector: string): HTMLElement => {
  const found = root.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(`no ${selector}`);
  return found;
};
const press = (element: HTMLElement, key: string) =>
  act(async () => {
    element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    // Lets the kernel's answer arrive.
    await new Promise((done) => setTimeout(done));
  });
const panels = (): string[] =>
  Array.from(
    root.querySelectorAll("figcaption strong"),
    (title) => title.textContent?.trim() ?? "",
  );

describe("AttentionView", () => {
  it("enlarges what the keyboard chooses, asks for it once, and says its scores", async () => {
    await show(patterns());
    expect(panels()).toEqual(["L0H0"]);
    expect(ask).not.toHaveBeenCalled();
    const overview = find(".hs-att-scroll");
    await press(overview, "ArrowRight");
    expect(said.at(-1)).toContain("L0H1, Previous token 0.1");
    await press(overview, "Enter");
    expect(selection).toMatchObject({ layer: 0, head: 1 });
    expect(ask.mock.calls.map(([what, params]) => [what, params])).toEqual([
      ["head", { layer: 0, head: 1 }],
    ]);
    expect(panels()).toEqual(["L0H1"]);
    await press(overview, "ArrowDown");
    await press(overview, " ");
    expect(options.attention_heads).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(panels()).toEqual(["L0H1", "L1H1"]);
  });

  it("moves the cell cursor, pins with Enter and clears with Escape", async () => {
    await show(patterns());
    const matrix = root.querySelectorAll<HTMLElement>(".hs-att-scroll")[1];
    if (!matrix) throw new Error("no matrix");
    await press(matrix, "ArrowUp");
    await press(matrix, "ArrowRight");
    const value = weightsOf(0, 0, 5)[3 * 5 + 1] ?? 0;
    expect(said.at(-1)).toContain("dest 3 ·and, src 1 When");
    expect(said.at(-1)).toContain(value.toPrecision(3).replace(/0+$/, ""));
    await press(matrix, "Enter");
    expect(selection).toMatchObject({ layer: 0, head: 0, dest: 3, src: 1, token: null });
    expect(ask).toHaveBeenCalledWith(
      "row",
      { layer: 0, head: 0, dest: 3 },
      expect.any(AbortSignal),
    );
    expect(find("caption").textContent).toContain("what dest 3");
    expect(find("caption").textContent).toContain("float32");
    expect(root.querySelectorAll(".hs-att-sources tbody tr")).toHaveLength(4);
    expect(find("tr[aria-current]").textContent).toContain("When");
    await press(matrix, "Escape");
    expect(selection).toMatchObject({ dest: null, src: null });
    expect(root.querySelector(".hs-att-sources")).toBeNull();
  });

  it("follows a selection that comes from outside, and ignores one that cannot be", async () => {
    selection = { ...NOTHING, layer: 1, head: 2, dest: 99, src: -1 };
    await show(patterns());
    expect(panels()).toEqual(["L1H2"]);
    expect(root.querySelector(".hs-att-sources")).toBeNull();
  });

  it("without a kernel shows what is held and says what the rest needs", async () => {
    await show(patterns(), { live: false });
    expect(panels()).toEqual(["L0H0"]);
    const overview = find(".hs-att-scroll");
    await press(overview, "ArrowRight");
    await press(overview, "Enter");
    expect(said.at(-1)).toBe("L0H1 needs a live kernel.");
    expect(selection).toEqual(NOTHING);
    selection = { ...NOTHING, layer: 1, head: 1, dest: 2 };
    await show(patterns(), { live: false });
    expect(find(".hs-att-empty").textContent).toContain("L1H1 is not in this page");
    expect(root.textContent).toContain("1 of 6 heads");
    expect(ask).not.toHaveBeenCalled();
  });

  it("keeps the heads that were fetched when the kernel goes", async () => {
    selection = { ...NOTHING, layer: 0, head: 1, dest: 2 };
    await show(patterns());
    await act(() => new Promise<void>((done) => setTimeout(done)));
    expect(find("caption").textContent).toContain("float32");
    selection = { ...selection, layer: 1, head: 2 };
    await show(patterns(), { live: false });
    expect(find(".hs-att-empty").textContent).toContain("L1H2 is not in this page");
    expect(root.textContent).toContain("2 of 6 heads");
    const overview = find(".hs-att-scroll");
    for (const key of ["ArrowUp", "ArrowLeft", "Enter"]) await press(overview, key);
    expect(selection).toMatchObject({ layer: 0, head: 1 });
    expect(panels()).toEqual(["L0H1"]);
    expect(find("caption").textContent).toContain("float32");
    expect(root.querySelector(".hs-att-empty")).toBeNull();
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("colours the text by the pinned token and mixes held heads without asking", async () => {
    options = { attention_mode: "text", attention_mix: "max_all" };
    selection = { ...NOTHING, token: 2 };
    await show(patterns({ held: 6 }), { live: false });
    const tokens = Array.from(root.querySelectorAll<HTMLElement>("[data-token]"));
    expect(tokens.map(({ textContent }) => textContent)).toContain("·Mary");
    expect(tokens.map((token) => token.classList.contains("hs-att-after"))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(find(".hs-att-status").textContent).toBe("What token 2 “·Mary” attends to (pinned)");
    expect(ask).not.toHaveBeenCalled();
  });

  it("keeps hostile token texts text", async () => {
    const tokens = ["<s>", "<img src=x onerror=alert(1)>", "<script>1</script>", "\u202e", "x"];
    selection = { ...NOTHING, dest: 4, token: 4 };
    for (const mode of ["matrix", "text", "lines"]) {
      options = { attention_mode: mode };
      await show(patterns({ tokens }));
      expect(root.querySelector("img, script")).toBeNull();
      expect(root.textContent).not.toContain("\u202e");
    }
    expect(find(".hs-att-sources").textContent).toContain("<script>1</script>");
  });

  it("works on a prompt of one token", async () => {
    for (const mode of ["matrix", "text", "lines"]) {
      options = { attention_mode: mode, attention_weighting: "output" };
      await show(patterns({ tokens: ["<s>"] }));
      expect(root.textContent).toContain("Scores of L0H0");
    }
  });
});

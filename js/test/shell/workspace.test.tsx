// @vitest-environment happy-dom
// What stands above the views of one prompt: what is asked of all of them at once.
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, it } from "vitest";
import { WorkspaceHead } from "../../src/shell/workspace";
import type { Lend } from "../../src/views/island";
import type { FieldSpec } from "../../src/wire/types";
import { played } from "../interventions/host";

const root = document.createElement("div");
document.body.append(root);
afterEach(() => render(null, root));

const field = (name: string, title: string, type: FieldSpec["type"]): FieldSpec => ({
  name,
  title,
  type,
  choices: [],
  help: "",
  when: [],
});

it("an answer is given once, and told the kernel under its name", async () => {
  const host = played([]);
  const told: [string, unknown][] = [];
  host.setField = (name, value) => void told.push([name, value]);
  host.set({
    fields: [field("corrupted", "Corrupted", "text"), field("answer", "Answer", "token")],
    values: { corrupted: "the dog", answer: "" },
    interventions: null,
  });
  await act(() => {
    render(<WorkspaceHead host={host} state={host.state} lend={{} as Lend} />, root);
  });
  const inputs = [...root.querySelectorAll("input")];
  expect(inputs.map((input) => input.closest("label")?.textContent)).toEqual(["Answer"]);
  const [input] = inputs;
  if (!input) throw new Error("There is no field.");
  input.value = " Mary";
  await act(() => void input.dispatchEvent(new Event("input", { bubbles: true })));
  await act(() => void input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" })));
  expect(told).toEqual([["answer", " Mary"]]);
});

// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { expect, test, vi } from "vitest";
import { NOTHING } from "../../src/state/selection";
import { FakeModel } from "../host/fake-model";
import { golden } from "../wire/golden";
import { open, opened } from "./open";

vi.mock("../../src/views", () => import("./views"));

const widget = {
  widget: "LogitAttribution",
  fields: [{ name: "answer", title: "Answer", type: "token", choices: [], help: "", when: [] }],
  values: { answer: " Mary" },
  status: { job: 1, state: "done", fraction: 1, eta_s: null, message: "", paused: null },
  error: null,
  prompt: "the </script><b>cat</b>",
  selection: NOTHING,
  view: {},
  marks: {},
  notes: ["Not in this page, needs a live kernel: 3 of 4 measures."],
  missing: [],
  interventions: null,
  effect: "with",
  shifts: [],
  arguments: {},
};

/** As Python packs it. */
async function packed(): Promise<string> {
  const { header, buffers } = golden("grid");
  const line = `${JSON.stringify({ version: 4, others: [], ...widget, header })}\n`;
  const stream = new Blob([line, ...buffers]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}

function output(text: string): HTMLElement {
  const around = document.createElement("div");
  const picture = document.createElement("div");
  picture.className = "headscope-picture";
  const place = document.createElement("div");
  place.className = "headscope-frozen";
  const data = document.createElement("script");
  data.type = "text/plain";
  data.className = "headscope-data";
  data.textContent = text;
  place.append(data);
  around.append(picture, place);
  document.body.append(around);
  return place;
}

const pictureOf = (place: HTMLElement | undefined): HTMLElement | undefined =>
  place?.previousElementSibling as HTMLElement;

test("every place of a saved page is drawn, its controls disabled with the reason", async () => {
  // The observers of a page with layout.
  (await open(new FakeModel())).close();
  const places = [await packed(), "bm90aGluZw=="].map(output);
  await import("../../src/frozen");
  await act(() => vi.waitFor(() => expect(places[1]?.querySelector(".headscope")).not.toBeNull()));
  const [first, second] = places.map((place) => opened(place, () => {}));

  // Copying needs no kernel.
  const all = first?.all("button:not(.view), input, textarea, select") ?? [];
  const controls = all.filter((control) => !control.closest(".hs-foot"));
  expect(controls.length).toBeGreaterThan(3);
  expect(controls.filter((control) => !("disabled" in control && control.disabled))).toEqual([]);
  const reason = (control: Element): unknown => control.closest("[title]")?.getAttribute("title");
  expect(new Set(controls.map(reason))).toEqual(new Set(["Needs a live kernel"]));
  expect(first?.find<HTMLTextAreaElement>("textarea").value).toBe("the </script><b>cat</b>");

  await act(() => first?.find(".view").click());
  expect(first?.find(".view").textContent).toBe("grid Golden grid 1 800 light false");
  expect(first?.find(".hs-note").textContent).toBe(
    "Not in this page, needs a live kernel: 3 of 4 measures.",
  );
  expect(second?.all(".hs-error")).toHaveLength(1);
  expect(places.map((place) => pictureOf(place)?.style.display)).toEqual(["none", ""]);

  const later = output(await packed());
  document.dispatchEvent(new Event("headscope"));
  await act(() => vi.waitFor(() => expect(later.querySelector(".headscope")).not.toBeNull()));
  expect(places[0]?.querySelectorAll(".headscope")).toHaveLength(1);
});

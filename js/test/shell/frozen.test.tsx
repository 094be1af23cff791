// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { expect, test, vi } from "vitest";
import { NOTHING } from "../../src/state/selection";
import { FakeModel } from "../host/fake-model";
import { frozenPayload } from "../wire/golden";
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
  payload: frozenPayload("grid"),
};

test("every place of a saved page is drawn, its controls disabled with the reason", async () => {
  // The observers of a page with layout.
  (await open(new FakeModel())).close();
  const data = document.createElement("script");
  data.id = "headscope-data";
  data.type = "application/json";
  data.textContent = JSON.stringify({ version: 2, widgets: [widget] });
  const places = ["0", "5"].map((index) => {
    const place = document.createElement("div");
    place.className = "headscope-frozen";
    place.dataset.index = index;
    return place;
  });
  document.body.append(data, ...places);
  await act(async () => {
    await import("../../src/frozen");
  });
  const [first, second] = places.map((place) => opened(place, () => {}));

  const controls = first?.all("button:not(.view), input, textarea, select") ?? [];
  expect(controls.length).toBeGreaterThan(3);
  expect(controls.filter((control) => !("disabled" in control && control.disabled))).toEqual([]);
  const reason = (control: Element): unknown => control.closest("[title]")?.getAttribute("title");
  expect(new Set(controls.map(reason))).toEqual(new Set(["Needs a live kernel"]));
  expect(first?.find<HTMLTextAreaElement>("textarea").value).toBe("the </script><b>cat</b>");

  await act(() => first?.find(".view").click());
  expect(first?.find(".view").textContent).toBe("grid Golden grid 1 800 light false");
  expect(second?.find(".hs-error").textContent).toContain("The page holds no widget 5.");
});

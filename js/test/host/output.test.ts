// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { hideOutput } from "../../src/host/output";

test("what stands in for a live view is hidden for as long as one is there", () => {
  document.body.innerHTML = `<div data-headscope="ab12">kept</div><div data-headscope="cd">other</div>`;
  const shown = (name: string): boolean =>
    getComputedStyle(document.querySelector(`[data-headscope="${name}"]`) as Element).display !==
    "none";
  const first = hideOutput("ab12");
  const second = hideOutput("ab12");
  expect([shown("ab12"), shown("cd")]).toEqual([false, true]);
  first();
  expect(shown("ab12")).toBe(false);
  second();
  expect(shown("ab12")).toBe(true);
});

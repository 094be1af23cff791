// Puts a host's frame into an element of any page, behind a shadow root.

import { render, type VNode } from "preact";
import { useErrorBoundary } from "preact/hooks";
import type { Host } from "../host/contract";
import { preact } from "../lend/preact";
import { viewsCss } from "../views";
import type { Island, Lend } from "../views/island";
import type { ErrorInfo } from "../wire/types";
import { App, type Embedded } from "./app";
import { ErrorBox, errorInfo } from "./error-box";
import type { DrawPart, Frame } from "./frame";
import { useTheme } from "./hooks";
import { shellCss } from "./styles";

interface Options {
  embedded?: Embedded;
  lend?: Lend;
}

const noPanels: Lend = () => Promise.reject(new Error("This panel is not here."));

/** Panels that draw with the shell's Preact. */
const binding =
  (lend: Lend): Lend =>
  async (name) => {
    const panel = await lend(name);
    panel.bind(preact);
    return panel;
  };

/** Draws into `element`; returns what takes it out again. */
export function mount(
  element: HTMLElement,
  host: Host,
  islands: readonly Island[],
  { embedded = false, lend = noPanels }: Options = {},
): () => void {
  for (const island of islands) island.bind(preact);
  const css = islands.map((island) => island.css).join("");
  const app = <App host={host} islands={islands} embedded={embedded} lend={binding(lend)} />;
  return attach(element, <Contained>{app}</Contained>, css);
}

/** Draws a widget that holds others, each of which `draw` draws. */
export function mountFrame(
  element: HTMLElement,
  host: Host,
  { bind, frame: Outer, css }: Frame,
  draw: DrawPart,
  lend: Lend,
): () => void {
  bind(preact);
  const outer = <Outer host={host} draw={draw} lend={binding(lend)} />;
  return attach(element, <Contained>{outer}</Contained>, css);
}

/** Shows `error` where a widget should have been. */
export function mountError(element: HTMLElement, error: ErrorInfo): () => void {
  return attach(element, <Failure error={error} />);
}

function Contained({ children }: { children: VNode }) {
  const [failure] = useErrorBoundary();
  return failure ? <Failure error={errorInfo(failure)} /> : children;
}

function Failure({ error }: { error: ErrorInfo }) {
  return (
    <article class="hs-root" data-theme={useTheme()}>
      <ErrorBox error={error} />
    </article>
  );
}

function attach(element: HTMLElement, content: VNode, css = ""): () => void {
  const box = document.createElement("div");
  box.className = "headscope";
  // JupyterLab's one-letter shortcuts must not fire while someone types in here.
  box.dataset.lmSuppressShortcuts = "true";
  const root = box.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = shellCss + viewsCss + css;
  const place = document.createElement("div");
  root.append(style, place);
  element.append(box);
  render(content, place);
  return () => {
    render(null, place);
    box.remove();
  };
}

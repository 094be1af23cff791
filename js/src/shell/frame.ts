// A frame that takes the place of the shell's own: that of a widget which holds other widgets. It is in a
// bundle of its own, like a view.
import type { ComponentType } from "preact";
import type { Host, Share } from "../host/contract";
import type { Preact } from "../lend/preact";
import { type Lend, type Lent, lentOnPage } from "../views/island";

/** Draws the widget of a pane into an element; returns what takes it out again. With a `share` it
 * keeps its prompt. */
export type DrawPart = (widget: string, element: HTMLElement, share?: Share) => () => void;

export interface FrameProps {
  host: Host;
  draw: DrawPart;
  lend: Lend;
}

export interface Frame {
  kind: "panes";
  bind(preact: Preact): void;
  frame: ComponentType<FrameProps>;
  css: string;
}

export const isFrame = (lent: Lent): lent is Frame => "frame" in lent;

export const frameOfPage = (): Frame | undefined => lentOnPage().find(isFrame);

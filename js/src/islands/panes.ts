// The frame of widgets that hold other widgets.
import { bind } from "../lend/borrowed";
import type { Frame } from "../shell/frame";
import { PanesFrame, panesCss } from "../shell/panes";

export const island: Frame = { kind: "panes", bind, frame: PanesFrame, css: panesCss };

// The view of attention patterns, with what the shell needs to draw it.
import { bind } from "../lend/borrowed";
import { AttentionView, attentionCss } from "../views/attention";
import type { Island } from "../views/island";

export const island: Island = { kind: "patterns", bind, view: AttentionView, css: attentionCss };

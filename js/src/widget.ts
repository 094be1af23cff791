// The live entry, an anywidget module. `initialize` exports `render`, so that one hidden core can
// draw all widgets of a notebook and the bundle travels once.
import type { RenderProps } from "@anywidget/types";
import { liveHost, type WidgetModel } from "./host/live";
import { hideOutput } from "./host/output";
import { laidDown, layDown, sharing } from "./host/sharing";
import { errorInfo } from "./shell/error-box";
import { type DrawPart, type Frame, isFrame } from "./shell/frame";
import { mount, mountError, mountFrame } from "./shell/mount";
import type { Island, Lend } from "./views/island";

type DrawWidget = (ref: string, el: HTMLElement, signal: AbortSignal) => Promise<void>;

interface Props {
  model: WidgetModel;
  el: RenderProps["el"];
  /** Of widgets whose view is in a bundle of its own. */
  view?: Island | Frame;
  /** Draws the widget of a reference into a place of this one's. */
  draw: DrawWidget;
  lend: Lend;
}

/** Draws the widgets in a container's panes. */
function inPanes(draw: DrawWidget): DrawPart {
  return (ref, el, share) => {
    const over = new AbortController();
    if (share) layDown(el, share);
    el.dataset.embedded = "";
    draw(ref, el, over.signal).catch((failure: unknown) => {
      if (!over.signal.aborted) mountError(el, errorInfo(failure));
    });
    return () => {
      over.abort();
      el.replaceChildren();
    };
  };
}

function render({ model, el, view, draw, lend }: Props): () => void {
  try {
    const host = liveHost(model);
    const share = laidDown(el);
    const unmount =
      view && isFrame(view)
        ? mountFrame(el, host, view, inPanes(draw), lend)
        : mount(el, share ? sharing(host, share) : host, view ? [view] : [], {
            embedded: share ? "prompted" : "embedded" in el.dataset,
            lend,
          });
    const showOutput = hideOutput(model.get("_output"));
    return () => {
      showOutput();
      unmount();
      host.dispose();
    };
  } catch (failure) {
    return mountError(el, errorInfo(failure));
  }
}

export default { initialize: () => ({ render }) };

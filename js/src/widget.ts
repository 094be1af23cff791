// The live entry, an anywidget module. `initialize` exports `render`, so that one hidden core can
// draw all widgets of a notebook and the bundle travels once.
import type { RenderProps } from "@anywidget/types";
import { liveHost, type WidgetModel } from "./host/live";
import { hideOutput } from "./host/output";
import { errorInfo } from "./shell/error-box";
import { mount, mountError } from "./shell/mount";
import type { Island } from "./views/island";

interface Props {
  model: WidgetModel;
  el: RenderProps["el"];
  /** Of widgets whose view is in a bundle of its own. */
  view?: Island;
}

function render({ model, el, view }: Props): () => void {
  try {
    const host = liveHost(model);
    const unmount = mount(el, host, view ? [view] : []);
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

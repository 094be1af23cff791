// A view that shows what it is given, in place of the real ones.
import type { ViewProps } from "../../src/views/contract";

function Plain({ result, selection, select, width, theme, live }: ViewProps) {
  if (result.title === "Broken") throw new Error("This view cannot draw.");
  return (
    <button type="button" class="view" onClick={() => select({ layer: 1 })}>
      {[result.kind, result.title, selection.layer, width, theme, live].join(" ")}
    </button>
  );
}

export const viewOf = () => Plain;
export const viewsCss = "";

export const hasView = (): boolean => true;

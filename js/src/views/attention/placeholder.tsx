// What stands in a panel whose values are not there.
import type { JSX } from "preact";
import { Button } from "../parts/controls";
import { KERNEL_NEEDED } from "./overview";
import type { PanelData } from "./panel-data";

export function Placeholder(props: {
  data: Exclude<PanelData, { state: "ready" }>;
  name: string;
  height: number;
  retry(): void;
}): JSX.Element {
  const { data, name, height, retry } = props;
  return (
    <div class="hs-att-empty" style={{ minHeight: `${height}px` }}>
      {data.state === "loading" && <span role="status">Loading {name}…</span>}
      {data.state === "frozen" && (
        <span>
          {name} is not in this page: it {KERNEL_NEEDED}.
        </span>
      )}
      {data.state === "failed" && (
        <>
          <span role="alert">
            {name} could not be loaded. {data.message}
          </span>
          <Button label="Try again" onClick={retry} />
        </>
      )}
    </div>
  );
}

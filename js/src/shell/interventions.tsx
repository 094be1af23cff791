// Where a widget has its interventions: folded in, until they are wanted, when the code for them comes.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Host, HostState } from "../host/contract";
import type { Lend, Panel } from "../views/island";
import { errorInfo } from "./error-box";
import { NEEDS_KERNEL } from "./notes";

interface SectionProps {
  host: Host;
  state: HostState;
  lend: Lend;
  /** Whether it is unfolded at first. */
  open?: boolean;
}

export function InterventionsSection({
  host,
  state,
  lend,
  open: first = false,
}: SectionProps): JSX.Element | null {
  const [open, setOpen] = useState(first);
  const [panel, setPanel] = useState<Panel | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (!open || panel) return;
    let wanted = true;
    lend("interventions").then(
      (found) => {
        if (wanted) setPanel(found);
      },
      (failure: unknown) => wanted && setProblem(errorInfo(failure).message),
    );
    return () => {
      wanted = false;
    };
  }, [open]);
  const { interventions } = state;
  if (!interventions || (!host.live && interventions.length === 0)) return null;
  const on = interventions.filter((item) => item.on).length;
  const off = interventions.length - on;
  const Drawn = panel?.panel;
  return (
    <details
      class="hs-interventions"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        Interventions{" "}
        <span class="hs-muted">
          {on} on{off > 0 && `, ${off} off`}
        </span>
      </summary>
      {Drawn ? (
        <>
          <style>{panel.css}</style>
          <Drawn host={host} state={state} />
        </>
      ) : (
        <p class="hs-note">{problem || (host.live ? "One moment" : NEEDS_KERNEL)}</p>
      )}
    </details>
  );
}

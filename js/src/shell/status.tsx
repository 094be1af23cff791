// Where the kernel and its computation stand, and the way to stop it or to start it again.
import type { Host, HostState } from "../host/contract";
import { Button } from "../views/parts/controls";
import { KERNEL_NOTES } from "./notes";

export function Status({ host, state }: { host: Host; state: HostState }) {
  const { status } = state;
  const note = KERNEL_NOTES[state.kernel];
  if (!host.live) return <span class="hs-badge">{note}</span>;
  if (status.state === "running") {
    const percent = Math.round(100 * status.fraction);
    const { paused } = status;
    return (
      // The key makes the delay before it shows start afresh with each job.
      <div class="hs-status hs-late" key={status.job}>
        <span class="hs-muted">
          {note || status.message || "Computing"}, {percent}%{remaining(status.eta_s)}
        </span>
        <progress aria-label="Computation" value={status.fraction} max={1} />
        {paused !== null && (
          <Button
            label={paused ? "Resume" : "Pause"}
            onClick={() => void host.ask(paused ? "resume" : "pause", {}).catch(() => {})}
          />
        )}
        <Button title="Stop and keep what there is" onClick={() => host.cancel()}>
          Cancel
        </Button>
      </div>
    );
  }
  if (note) return <span class="hs-badge">{note}</span>;
  if (status.state === "cancelled" || status.state === "error") {
    return (
      <div class="hs-status">
        <span class="hs-muted">{status.state === "error" ? "Failed" : "Cancelled"}</span>
        <Button onClick={() => host.rerun()}>Run again</Button>
      </div>
    );
  }
  return null;
}

function remaining(seconds: number | null): string {
  if (seconds === null) return "";
  if (seconds < 1) return ", under 1 s left";
  if (seconds < 90) return `, ${Math.round(seconds)} s left`;
  return `, ${Math.round(seconds / 60)} min left`;
}

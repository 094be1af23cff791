// What the front end knows of the kernel behind a widget. JupyterLab and Notebook tell; elsewhere
// nothing is known, and only what the kernel answers shows that it is there.
import type { WidgetModel } from "./live";

/** JupyterLab's connection to a kernel. */
interface Connection {
  readonly status: string;
  readonly statusChanged: { connect(slot: () => void): void; disconnect(slot: () => void): void };
}

/** The public parts, present or not, of the manager behind a widget's model. */
interface Manager {
  kernel?: Connection | null;
  get_model?(id: string): Promise<{ comm_live?: boolean } | undefined>;
}

/** A kernel in these says so by itself, and often; any other status asks for a closer look. */
const USUAL = ["idle", "busy", "starting"];

export interface KernelStatus {
  /** Whether it runs a cell. */
  busy(): boolean;
  /** Whether it is known that nothing sent from here reaches a kernel any more. */
  cut(): Promise<boolean>;
  dispose(): void;
}

/** `onHint` is called when something happened that a kernel may not have survived. */
export function kernelStatus(model: WidgetModel, onHint: () => void): KernelStatus {
  const manager = model.widget_manager as unknown as Manager | undefined;
  const connection = manager?.kernel;
  const changed = (): void => {
    if (connection && !USUAL.includes(connection.status)) onHint();
  };
  // An event of the model behind anywidget's, raised when its comm is cut off.
  model.on("comm_live_update", onHint);
  connection?.statusChanged?.connect(changed);
  return {
    busy: () => manager?.kernel?.status === "busy",
    async cut() {
      if (manager?.kernel?.status === "dead") return true;
      // The core was opened by the same kernel, and unlike our own model it can be looked up.
      const id = String(model.get("_core")).replace(/^anywidget:/, "");
      try {
        return (await manager?.get_model?.(id))?.comm_live === false;
      } catch {
        return false;
      }
    },
    dispose() {
      model.off("comm_live_update", onHint);
      connection?.statusChanged?.disconnect(changed);
    },
  };
}

// A drawing as data. Views build scenes; canvas.ts paints them and svg.ts writes them as text, so
// the screen, an exported figure and a test snapshot show the same marks.

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Mark =
  | { kind: "rect"; x: number; y: number; width: number; height: number; fill?: string; stroke?: string; lineWidth?: number; opacity?: number }
  | { kind: "text"; x: number; y: number; text: string; fill: string; size: number; anchor?: "start" | "middle" | "end"; baseline?: "top" | "middle" | "alphabetic"; weight?: number; mono?: boolean; rotate?: number; opacity?: number }
  | { kind: "line"; x1: number; y1: number; x2: number; y2: number; stroke: string; lineWidth?: number; opacity?: number }
  | { kind: "path"; d: string; fill?: string; stroke?: string; lineWidth?: number; opacity?: number }
  /** Cells as pixels, drawn without smoothing. `rgba` holds columns * rows * 4 bytes. */
  | { kind: "image"; x: number; y: number; width: number; height: number; columns: number; rows: number; rgba: Uint8ClampedArray }
  /** Marks drawn inside `clip`, moved by (dx, dy). */
  | { kind: "group"; clip: Box; dx: number; dy: number; marks: Mark[] };

export interface Scene {
  width: number;
  height: number;
  background?: string;
  marks: Mark[];
}

// A drawing as data. Views build scenes; canvas.ts paints them and svg.ts writes them as text, so
// the screen, an exported figure and a test snapshot show the same marks.

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Rect extends Box {
  kind: "rect";
  fill?: string;
  stroke?: string;
  lineWidth?: number;
  radius?: number;
  opacity?: number;
}

/** Always opaque: an ink is chosen for its contrast. */
export interface Text {
  kind: "text";
  x: number;
  y: number;
  text: string;
  fill: string;
  size: number;
  anchor?: "start" | "middle" | "end";
  baseline?: "top" | "middle" | "alphabetic";
  weight?: number;
  mono?: boolean;
  /** Degrees, clockwise, about (x, y). */
  rotate?: number;
}

export interface Line {
  kind: "line";
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  stroke: string;
  lineWidth?: number;
  dash?: number[];
  opacity?: number;
}

export interface Path {
  kind: "path";
  /** SVG path data. */
  d: string;
  fill?: string;
  stroke?: string;
  lineWidth?: number;
  dash?: number[];
  opacity?: number;
}

/** Cells as pixels, drawn without smoothing unless shrunk. `rgba` holds columns * rows * 4 bytes, opaque, and is
 * never written to again: painters cache by its identity. */
export interface Image extends Box {
  kind: "image";
  columns: number;
  rows: number;
  rgba: Uint8ClampedArray;
}

/** Marks drawn inside `clip`, moved by (dx, dy). `clip` itself is not moved. */
export interface Group {
  kind: "group";
  clip: Box;
  dx: number;
  dy: number;
  marks: Mark[];
}

export type Mark = Rect | Text | Line | Path | Image | Group;

export interface Scene {
  /** What it shows, in a few words: the title of an exported file. */
  title?: string;
  /** What made it, as JSON: the metadata of an exported file. */
  metadata?: string;
  width: number;
  height: number;
  background?: string;
  marks: Mark[];
}

// Paints a scene on a canvas.
import type { Image, Mark, Rect, Scene, Text } from "./scene";
import { MONO, SANS } from "./text";

/** Makes the canvas as large as the scene, at `pixelRatio` device pixels per unit, and paints. */
export function paint(canvas: HTMLCanvasElement, scene: Scene, pixelRatio: number): void {
  const width = Math.max(1, Math.round(scene.width * pixelRatio));
  const height = Math.max(1, Math.round(scene.height * pixelRatio));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.style.width = `${scene.width}px`;
  canvas.style.height = `${scene.height}px`;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  context.clearRect(0, 0, scene.width, scene.height);
  if (scene.background) {
    context.fillStyle = scene.background;
    context.fillRect(0, 0, scene.width, scene.height);
  }
  // Edges of filled cells fall on device pixels: no seams where the ratio is not a whole number.
  const snap = (v: number): number => Math.round(v * pixelRatio) / pixelRatio;
  paintMarks(context, scene.marks, snap);
}

type Snap = (v: number) => number;

function paintMarks(context: CanvasRenderingContext2D, marks: Mark[], snap: Snap): void {
  for (const mark of marks) {
    context.globalAlpha = "opacity" in mark ? (mark.opacity ?? 1) : 1;
    switch (mark.kind) {
      case "rect":
        paintRect(context, mark, snap);
        break;
      case "text":
        paintText(context, mark);
        break;
      case "image":
        paintImage(context, mark, snap);
        break;
      case "line":
        context.strokeStyle = mark.stroke;
        context.lineWidth = mark.lineWidth ?? 1;
        context.setLineDash(mark.dash ?? []);
        context.beginPath();
        context.moveTo(mark.x1, mark.y1);
        context.lineTo(mark.x2, mark.y2);
        context.stroke();
        break;
      case "path": {
        const path = new Path2D(mark.d);
        if (mark.fill) {
          context.fillStyle = mark.fill;
          context.fill(path);
        }
        if (mark.stroke) {
          context.strokeStyle = mark.stroke;
          context.lineWidth = mark.lineWidth ?? 1;
          context.setLineDash(mark.dash ?? []);
          context.stroke(path);
        }
        break;
      }
      case "group": {
        const { clip } = mark;
        context.save();
        context.beginPath();
        context.rect(clip.x, clip.y, clip.width, clip.height);
        context.clip();
        context.translate(mark.dx, mark.dy);
        paintMarks(context, mark.marks, snap);
        context.restore();
        break;
      }
    }
  }
  context.globalAlpha = 1;
}

function paintRect(context: CanvasRenderingContext2D, mark: Rect, snap: Snap): void {
  if (mark.radius) {
    context.beginPath();
    context.roundRect(mark.x, mark.y, mark.width, mark.height, mark.radius);
  }
  if (mark.fill) {
    context.fillStyle = mark.fill;
    if (mark.radius) context.fill();
    else {
      const x = snap(mark.x);
      const y = snap(mark.y);
      context.fillRect(x, y, snap(mark.x + mark.width) - x, snap(mark.y + mark.height) - y);
    }
  }
  if (mark.stroke) {
    context.strokeStyle = mark.stroke;
    context.lineWidth = mark.lineWidth ?? 1;
    context.setLineDash([]);
    if (mark.radius) context.stroke();
    else context.strokeRect(mark.x, mark.y, mark.width, mark.height);
  }
}

function paintText(context: CanvasRenderingContext2D, mark: Text): void {
  context.font = `${mark.weight ?? 400} ${mark.size}px ${mark.mono ? MONO : SANS}`;
  context.fillStyle = mark.fill;
  context.textAlign = mark.anchor === "middle" ? "center" : (mark.anchor ?? "start");
  context.textBaseline = mark.baseline ?? "alphabetic";
  if (!mark.rotate) {
    context.fillText(mark.text, mark.x, mark.y);
    return;
  }
  context.save();
  context.translate(mark.x, mark.y);
  context.rotate((mark.rotate * Math.PI) / 180);
  context.fillText(mark.text, 0, 0);
  context.restore();
}

const bitmaps = new WeakMap<Uint8ClampedArray, HTMLCanvasElement>();

function paintImage(context: CanvasRenderingContext2D, mark: Image, snap: Snap): void {
  let bitmap = bitmaps.get(mark.rgba);
  if (!bitmap) {
    bitmap = document.createElement("canvas");
    bitmap.width = mark.columns;
    bitmap.height = mark.rows;
    const pixels = new ImageData(mark.columns, mark.rows);
    pixels.data.set(mark.rgba);
    bitmap.getContext("2d")?.putImageData(pixels, 0, 0);
    bitmaps.set(mark.rgba, bitmap);
  }
  const x = snap(mark.x);
  const y = snap(mark.y);
  // Shrunk, every cell counts: averaging beats leaving some out.
  const { a: pixels } = context.getTransform();
  context.imageSmoothingEnabled =
    mark.width * pixels < mark.columns || mark.height * pixels < mark.rows;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, x, y, snap(mark.x + mark.width) - x, snap(mark.y + mark.height) - y);
}

// Writes a scene as SVG text: the same scene gives the same text, byte for byte.
import { pngUrl } from "./png";
import type { Mark, Scene } from "./scene";
import { MONO, SANS } from "./text";

type Attributes = Record<string, string | number | undefined>;

const BASELINE = { top: "text-before-edge", middle: "central", alphabetic: undefined };

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Escapes for XML; control characters, which XML cannot hold, become U+FFFD. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must go
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
      .replace(/[&<>"]/g, (c) => ESCAPES[c] ?? c)
  );
}

const round = (value: number): number => Math.round(value * 100) / 100 || 0;

function element(name: string, attributes: Attributes, content = ""): string {
  let text = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    text += ` ${key}="${typeof value === "number" ? round(value) : escaped(value)}"`;
  }
  return content ? `${text}>${content}</${name}>` : `${text}/>`;
}

export function toSvg(scene: Scene): string {
  const { width, height, background } = scene;
  const lines: string[] = [];
  if (scene.metadata) lines.push(element("metadata", {}, escaped(scene.metadata)));
  if (scene.title) lines.push(element("title", {}, escaped(scene.title)));
  if (background) lines.push(element("rect", { width, height, fill: background }));
  let clips = 0;

  const write = (marks: Mark[], indent: string): void => {
    for (const mark of marks) {
      switch (mark.kind) {
        case "rect":
          lines.push(
            indent +
              element("rect", {
                x: mark.x,
                y: mark.y,
                width: mark.width,
                height: mark.height,
                rx: mark.radius,
                fill: mark.fill ?? "none",
                stroke: mark.stroke,
                "stroke-width": mark.lineWidth,
                opacity: mark.opacity,
              }),
          );
          break;
        case "text":
          lines.push(
            indent +
              element(
                "text",
                {
                  x: mark.x,
                  y: mark.y,
                  fill: mark.fill,
                  "font-size": mark.size,
                  "font-family": mark.mono ? MONO : undefined,
                  "font-weight": mark.weight,
                  "text-anchor": mark.anchor === "start" ? undefined : mark.anchor,
                  "dominant-baseline": BASELINE[mark.baseline ?? "alphabetic"],
                  transform: mark.rotate
                    ? `rotate(${round(mark.rotate)} ${round(mark.x)} ${round(mark.y)})`
                    : undefined,
                },
                escaped(mark.text),
              ),
          );
          break;
        case "line":
          lines.push(
            indent +
              element("line", {
                x1: mark.x1,
                y1: mark.y1,
                x2: mark.x2,
                y2: mark.y2,
                stroke: mark.stroke,
                "stroke-width": mark.lineWidth,
                "stroke-dasharray": mark.dash?.join(" "),
                opacity: mark.opacity,
              }),
          );
          break;
        case "path":
          lines.push(
            indent +
              element("path", {
                d: mark.d,
                fill: mark.fill ?? "none",
                stroke: mark.stroke,
                "stroke-width": mark.lineWidth,
                "stroke-dasharray": mark.dash?.join(" "),
                opacity: mark.opacity,
              }),
          );
          break;
        case "image":
          lines.push(
            indent +
              element("image", {
                x: mark.x,
                y: mark.y,
                width: mark.width,
                height: mark.height,
                preserveAspectRatio: "none",
                style: "image-rendering:pixelated",
                href: pngUrl(mark.rgba, mark.columns, mark.rows),
              }),
          );
          break;
        case "group": {
          const id = `clip${clips++}`;
          const { clip } = mark;
          const rect = element("rect", {
            x: clip.x,
            y: clip.y,
            width: clip.width,
            height: clip.height,
          });
          lines.push(indent + element("clipPath", { id }, rect));
          lines.push(`${indent}<g clip-path="url(#${id})">`);
          const moved = mark.dx !== 0 || mark.dy !== 0;
          if (moved) {
            lines.push(`${indent} <g transform="translate(${round(mark.dx)} ${round(mark.dy)})">`);
          }
          write(mark.marks, `${indent} ${moved ? " " : ""}`);
          if (moved) lines.push(`${indent} </g>`);
          lines.push(`${indent}</g>`);
          break;
        }
      }
    }
  };
  write(scene.marks, "");

  const head =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" ` +
    `viewBox="0 0 ${round(width)} ${round(height)}" font-family="${escaped(SANS)}" ` +
    `xml:space="preserve">`;
  return `${head}\n${lines.join("\n")}\n</svg>\n`;
}

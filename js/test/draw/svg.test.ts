import { describe, expect, it } from "vitest";
import { chartScene } from "../../src/draw/chart";
import { legendScene } from "../../src/draw/legend";
import { encodePng } from "../../src/draw/png";
import type { Mark, Scene } from "../../src/draw/scene";
import { toSvg } from "../../src/draw/svg";
import type { Scale } from "../../src/wire/types";

const scene = (...marks: Mark[]): Scene => ({ width: 40, height: 30, marks });
const plain: Scale = { kind: "sequential", low: 0, high: 1, reverse: false, log: false };

describe("toSvg", () => {
  it("escapes text and drops what XML cannot hold", () => {
    const text = '</text><script>alert("x")</script> & \u0000\u001b';
    const svg = toSvg(scene({ kind: "text", x: 1, y: 2, text, fill: "#000", size: 10 }));
    expect(svg).not.toContain("<script");
    expect(svg).toContain(
      "&lt;/text&gt;&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; \ufffd\ufffd<",
    );
  });

  it("escapes attributes too", () => {
    const svg = toSvg(scene({ kind: "path", d: 'M0,0"/><a href="x', stroke: "#000" }));
    expect(svg).not.toContain("<a ");
  });

  it("moves and clips groups, nested ones with clips of their own", () => {
    const clip = { x: 0, y: 0, width: 10, height: 10 };
    const inner: Mark = { kind: "group", clip, dx: 0, dy: 0, marks: [] };
    const svg = toSvg(scene({ kind: "group", clip, dx: 3, dy: -4, marks: [inner] }));
    expect(svg.match(/clipPath id="clip\d"/g)).toEqual([
      'clipPath id="clip0"',
      'clipPath id="clip1"',
    ]);
    expect(svg).toContain("translate(3 -4)");
  });

  it("writes the same scene as the same text", () => {
    const make = () => toSvg(legendScene(plain, "light", 200));
    expect(make()).toBe(make());
  });
});

async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe("encodePng", () => {
  it("stores the pixels row by row", async () => {
    const [columns, rows] = [150, 160]; // more than one stored block
    const rgba = Uint8ClampedArray.from({ length: columns * rows * 4 }, (_, i) =>
      i % 4 === 3 ? 255 : (i * 7) % 256,
    );
    const png = encodePng(rgba, columns, rows);
    const view = new DataView(png.buffer);
    expect([...png.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    expect([view.getUint32(16), view.getUint32(20)]).toEqual([columns, rows]);
    const raw = await inflated(png.slice(41, 41 + view.getUint32(33)));
    expect(raw.length).toBe(rows * (1 + columns * 3));
    for (let pixel = 0; pixel < columns * rows; pixel += 37) {
      const row = Math.floor(pixel / columns);
      const at = row * (1 + columns * 3) + 1 + (pixel - row * columns) * 3;
      expect([...raw.subarray(at, at + 3)]).toEqual([...rgba.subarray(pixel * 4, pixel * 4 + 3)]);
    }
  });
});

describe("figures", () => {
  it("legend, sequential and diverging", async () => {
    const diverging: Scale = { ...plain, kind: "diverging", low: -9, high: 9 };
    const rank: Scale = { ...plain, high: 50_256, log: true, reverse: true };
    const labels = [plain, diverging, rank].map((scale) =>
      [...toSvg(legendScene(scale, "light", 220)).matchAll(/>([^<>\n]+)<\/text>/g)].map(
        ([, t]) => t,
      ),
    );
    expect(labels).toEqual([
      ["0", "0.5", "1"],
      ["−9", "−5", "0", "5", "9"],
      ["0", "10", "100", "1000", "50256"],
    ]);
  });

  it("line chart with a gap and a shared end of the place names", async () => {
    const svg = toSvg(
      chartScene(
        {
          title: "Probability",
          places: ["L0 resid_post", "L1 resid_post", "L2 resid_post", "L3 resid_post"],
          series: [
            { label: "a", values: [0, 0.25, 0.5, 1], colour: "#0072b2" },
            { label: "b", values: [1, Number.NaN, 0.5, 0], colour: "#d55e00" },
          ],
          scale: plain,
        },
        "light",
        280,
        160,
      ),
    );
    await expect(svg).toMatchFileSnapshot("gallery/chart.svg");
  });
});

import { describe, expect, it } from "vitest";
import { palette } from "../../src/draw/palette";
import { toSvg } from "../../src/draw/svg";
import { tokenGlyphs } from "../../src/state/tokens";
import { headBadge } from "../../src/views/attention/badges";
import { allHeads, type HeadRef, headLabel } from "../../src/views/attention/heads";
import { strongLines } from "../../src/views/attention/lines";
import {
  HEADER,
  linesLayout,
  linesOverlay,
  linesScene,
  ROW,
  sideAt,
  visibleLines,
} from "../../src/views/attention/lines-scene";
import { matrixLayout } from "../../src/views/attention/matrix-layout";
import { matrixOverlay, matrixScene } from "../../src/views/attention/matrix-scene";
import {
  flowLayout,
  gridLayout,
  headAt,
  neighbour,
  tileBox,
} from "../../src/views/attention/overview-layout";
import { overviewOverlay, overviewScene } from "../../src/views/attention/overview-scene";
import { attentionRamp, makeThumbnails } from "../../src/views/attention/thumbnails";
import { patterns, random, WORDS, weightsOf } from "./patterns";

const gallery = (name: string): string => `gallery/${name}.svg`;
const result = patterns();
const hostile = ["<s>", "<img src=x onerror=alert(1)>", "\"&'</svg>", "\u202e\u0000"];

function overview(theme: "light" | "dark", sort: boolean) {
  const heads = allHeads(result);
  const layout = sort ? flowLayout(heads.slice(0, 4), 3, 200) : gridLayout(heads, 2, 3, 200);
  const pane = { x: 0, y: 0, width: layout.width, height: layout.height };
  const spec = {
    layout,
    theme,
    thumbnail: makeThumbnails(result, "attention", false, theme, layout.tile),
    badge: (ref: HeadRef) => headBadge(result, ref, theme),
    faded: ({ layer }: HeadRef) => layer === 1,
  };
  return { spec, layout, pane };
}

const words = WORDS.map((token) => tokenGlyphs(token));
function matrix(glyphs: string[], theme: "light" | "dark" = "light") {
  const n = glyphs.length;
  const layout = matrixLayout(glyphs, 240, null);
  const cells = { n, weights: weightsOf(0, 0, n), factor: null, causal: true };
  return {
    spec: { matrix: cells, layout, glyphs, ramp: attentionRamp(result, 1, theme), theme },
    pane: { x: 0, y: 0, width: layout.width, height: layout.height },
  };
}

function lines(glyphs: string[]) {
  const n = glyphs.length;
  const layout = linesLayout(glyphs, 320);
  const { series } = palette("light");
  const heads = [0, 1].map((head) => ({
    lines: strongLines({ n, weights: weightsOf(0, head, n), factor: null, causal: true }, 0.05),
    colour: series[head] ?? "",
    high: 1,
  }));
  const spec = { layout, glyphs, heads, theme: "light" as const };
  return { spec, layout, pane: { x: 0, y: 0, width: 320, height: layout.height } };
}

describe("figures", () => {
  it.each(["light", "dark"] as const)("overview, %s", async (theme) => {
    const { spec, pane } = overview(theme, false);
    await expect(toSvg(overviewScene(spec, pane))).toMatchFileSnapshot(
      gallery(`overview-${theme}`),
    );
  });

  it("overview, sorted and filtered", async () => {
    const { spec, pane } = overview("light", true);
    await expect(toSvg(overviewScene(spec, pane))).toMatchFileSnapshot(gallery("overview-sorted"));
  });

  it("rings of the overview", async () => {
    const { layout, pane } = overview("light", false);
    const [a, b, c, d] = allHeads(result);
    if (!a || !b || !c || !d) throw new Error("too few heads");
    const rings = { enlarged: [a, b], primary: a, hover: c, cursor: d };
    const scene = overviewOverlay(layout, "light", rings, pane);
    await expect(toSvg(scene)).toMatchFileSnapshot(gallery("overview-rings"));
  });

  it.each(["light", "dark"] as const)("matrix, %s", async (theme) => {
    const { spec, pane } = matrix(words, theme);
    await expect(toSvg(matrixScene(spec, pane, 1))).toMatchFileSnapshot(gallery(`matrix-${theme}`));
  });

  it("crosshair and pin of the matrix", async () => {
    const { spec, pane } = matrix(words);
    const scene = matrixOverlay(
      spec,
      { hover: { dest: 4, src: 1 }, pin: { dest: 2, src: null } },
      pane,
    );
    await expect(toSvg(scene)).toMatchFileSnapshot(gallery("matrix-marks"));
  });

  it("matrix of one token", async () => {
    const { spec, pane } = matrix(["<s>"]);
    await expect(toSvg(matrixScene(spec, pane, 1))).toMatchFileSnapshot(gallery("matrix-one"));
  });

  it("lines of two heads, and of one token alone", async () => {
    const { spec, pane } = lines(words);
    await expect(toSvg(linesScene(spec, pane))).toMatchFileSnapshot(gallery("lines"));
    const alone = linesOverlay(spec, { side: "dest", token: 3 }, pane);
    await expect(toSvg(alone)).toMatchFileSnapshot(gallery("lines-token"));
  });

  it("keep hostile tokens text", () => {
    const glyphs = hostile.map((token) => tokenGlyphs(token));
    for (const scene of [
      matrixScene(matrix(glyphs).spec, matrix(glyphs).pane, 1),
      linesScene(lines(glyphs).spec, lines(glyphs).pane),
    ]) {
      const svg = toSvg(scene);
      expect(svg).not.toContain("<img");
      expect(svg.match(/<\/svg>/g)).toHaveLength(1);
      expect(svg).not.toContain("\u202e");
      expect(svg).not.toContain("\u0000");
    }
  });
});

describe("hit testing of the overview", () => {
  it("finds the head whose tile holds the point, at any scroll and size", () => {
    const next = random(10);
    for (let trial = 0; trial < 200; trial++) {
      const [nLayers, nHeads] = [1 + Math.floor(next() * 12), 1 + Math.floor(next() * 12)];
      const heads = allHeads(patterns({ layers: nLayers, heads: nHeads, tokens: ["a"] }));
      const width = 150 + next() * 600;
      const layout =
        next() < 0.5 ? gridLayout(heads, nLayers, nHeads, width) : flowLayout(heads, nHeads, width);
      const pane = { x: next() * 80, y: next() * 80, width, height: 400 };
      const ref = heads[Math.floor(next() * heads.length)];
      const box = ref && tileBox(layout, pane, ref);
      if (!ref || !box) throw new Error("every head has a tile");
      const x = box.x + next() * (box.width - 0.01);
      const y = box.y + next() * (box.height - 0.01);
      const visible = x >= layout.left && y >= layout.top && x < width && y < 400;
      expect(headAt(layout, pane, x, y)).toEqual(visible ? ref : null);
    }
  });

  it("moves with the arrows and stops at the edges", () => {
    const layout = gridLayout(allHeads(result), 2, 3, 300);
    const go = (from: HeadRef, ...keys: string[]): string =>
      headLabel(keys.reduce((at, key) => neighbour(layout, at, key), from));
    expect(go({ layer: 0, head: 0 }, "ArrowRight", "ArrowDown")).toBe("L1H1");
    expect(go({ layer: 0, head: 2 }, "ArrowRight")).toBe("L0H2");
    expect(go({ layer: 1, head: 0 }, "ArrowLeft", "ArrowDown")).toBe("L1H0");
    expect(go({ layer: 1, head: 1 }, "End", "Home", "ArrowUp")).toBe("L0H0");
  });

  it("shows every head of a large model at a size that can be told apart", () => {
    const heads = allHeads(patterns({ layers: 32, heads: 32, tokens: ["a"] }));
    const layout = gridLayout(heads, 32, 32, 340);
    expect(layout.tile).toBeGreaterThanOrEqual(22);
    expect(layout.width).toBeGreaterThan(340);
  });
});

describe("the line view", () => {
  it("finds the token on either side", () => {
    const { layout, pane } = lines(words);
    const y = HEADER + 2.5 * ROW;
    expect(sideAt(layout, pane, 5, y)).toEqual({ side: "dest", token: 2 });
    expect(sideAt(layout, pane, 315, y)).toEqual({ side: "src", token: 2 });
    expect(sideAt(layout, pane, 160, y)).toBeNull();
    expect(sideAt(layout, { ...pane, y: ROW }, 5, y)).toEqual({ side: "dest", token: 3 });
    expect(sideAt(layout, pane, 5, HEADER + 5.5 * ROW)).toBeNull();
  });

  it("draws only lines that cross what is in sight, the strongest first, within a bound", () => {
    const n = 200;
    const head = {
      lines: strongLines({ n, weights: weightsOf(0, 0, n), factor: null, causal: true }, 0.001),
    };
    const [chosen = []] = visibleLines([head], 50, 60, 40);
    expect(chosen).toHaveLength(40);
    for (const i of chosen) {
      const [dest = 0, src = 0] = [head.lines.dest[i], head.lines.src[i]];
      expect(dest >= 50 && src < 60).toBe(true);
    }
    const [all = []] = visibleLines([head], 50, 60, 1e9);
    expect(all.slice(0, 40)).toEqual(chosen);
    expect(all.length).toBeGreaterThan(40);
  });
});

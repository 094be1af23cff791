// The payloads that Python wrote, as the page gets them.
import circuit_graph from "../../../tests/golden/circuit_graph.json";
import grid from "../../../tests/golden/grid.json";
import patterns from "../../../tests/golden/patterns.json";
import { fromBase64 } from "../../src/wire/base64";
import type { Header } from "../../src/wire/types";

export interface GoldenPayload {
  header: Header;
  buffers: ArrayBuffer[];
}

const FILES = { grid, patterns, circuit_graph };

export function golden(kind: keyof typeof FILES): GoldenPayload {
  const { header, buffers } = structuredClone(FILES[kind]);
  return { header: header as unknown as Header, buffers: buffers.map((b) => fromBase64(b).buffer) };
}

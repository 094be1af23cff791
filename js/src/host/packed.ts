// A widget as a saved page holds it: gzip in base64 of a line of JSON and the buffers it describes.
import { fromBase64 } from "../wire/base64";
import { byteLength, WireError } from "../wire/decode";
import type { Header } from "../wire/types";
import type { Effect } from "./contract";
import type { FrozenWidget } from "./frozen";

const VERSION = 4;
const NEWLINE = 10;

/** @throws WireError if it is of another version, or none. */
export async function unpack(text: string): Promise<FrozenWidget> {
  const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return readWidget(new Uint8Array(await new Response(stream).arrayBuffer()));
}

export function readWidget(bytes: Uint8Array<ArrayBuffer>): FrozenWidget {
  const end = bytes.indexOf(NEWLINE);
  return widgetOf(new TextDecoder().decode(bytes.slice(0, end)), bytes.subarray(end + 1));
}

/** From its line of JSON and its buffers.
 * @throws WireError if it is of another version. */
export function widgetOf(line: string, body: Uint8Array<ArrayBuffer>): FrozenWidget {
  const { version, header, others, ...shown } = JSON.parse(line);
  if (version !== VERSION) {
    throw new WireError(`This is no Headscope widget of version ${VERSION}, but of ${version}.`);
  }
  if (header === null) return { ...shown, payload: null, others: [] };
  let at = 0;
  const payload = (of: Header) => ({
    header: of,
    buffers: of.arrays.map((array) => {
      const from = at;
      at += byteLength(array);
      return body.subarray(from, at);
    }),
  });
  return {
    ...shown,
    payload: payload(header),
    others: others.map((other: { effect: Effect; header: Header }) => ({
      effect: other.effect,
      payload: payload(other.header),
    })),
  };
}

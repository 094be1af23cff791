// A widget as a saved page holds it: gzip in base64 of a line of JSON and the buffers it describes.
import { byteLength, WireError } from "../wire/decode";
import type { Header } from "../wire/types";
import type { FrozenWidget } from "./frozen";

const VERSION = 3;
const NEWLINE = 10;

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** @throws WireError if it is of another version, or none. */
export async function unpack(text: string): Promise<FrozenWidget> {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return readWidget(new Uint8Array(await new Response(stream).arrayBuffer()));
}

export function readWidget(bytes: Uint8Array<ArrayBuffer>): FrozenWidget {
  const end = bytes.indexOf(NEWLINE);
  const { version, header, ...shown } = JSON.parse(new TextDecoder().decode(bytes.slice(0, end)));
  if (version !== VERSION) {
    throw new WireError(`This is no Headscope widget of version ${VERSION}, but of ${version}.`);
  }
  let at = end + 1;
  const buffers = (header as Header).arrays.map((array) => {
    const from = at;
    at += byteLength(array);
    return bytes.subarray(from, at);
  });
  return { ...shown, payload: { header, buffers } };
}

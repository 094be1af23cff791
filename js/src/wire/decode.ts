// Payloads and replies to typed data. Everything is checked here, so that nothing behind it needs to.
import { float16ToFloat32 } from "./float16";
import { type ArrayHeader, type NdArray, type Result, type Rounding, VERSION } from "./types";

/** Bytes as they come: a DataView at any offset from a comm, an ArrayBuffer or an array elsewhere. */
export type Bytes = ArrayBuffer | ArrayBufferView<ArrayBuffer>;

/** A payload or a reply that is not what it should be. */
export class WireError extends Error {
  override name = "WireError";
}

const ITEM_SIZE: Record<ArrayHeader["dtype"], number> = {
  float32: 4,
  float16: 2,
  int32: 4,
  uint8: 1,
};

const KINDS: Record<Result["kind"], true> = {
  grid: true,
  patterns: true,
  circuit_graph: true,
};

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isHeader(value: unknown): value is ArrayHeader {
  return (
    isFields(value) &&
    Object.hasOwn(ITEM_SIZE, String(value.dtype)) &&
    Array.isArray(value.shape) &&
    value.shape.every((n) => Number.isSafeInteger(n) && n >= 0) &&
    (value.rounding === undefined || isRounding(value.rounding))
  );
}

const isRounding = (value: unknown): value is Rounding =>
  isFields(value) && [value.low, value.step, value.bound].every(Number.isFinite);

const count = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** Bytes of an array as it travels. */
export const byteLength = ({ dtype, shape }: ArrayHeader): number =>
  count(shape) * ITEM_SIZE[dtype];

function isBytes(value: unknown): value is Bytes {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function decodeArray(header: unknown, bytes: unknown, index: number): NdArray {
  if (!isHeader(header)) {
    throw new WireError(`Array ${index} has an unknown dtype or shape: ${JSON.stringify(header)}.`);
  }
  if (!isBytes(bytes)) throw new WireError(`Array ${index} came without its bytes.`);
  const { dtype, shape, rounding } = header;
  if (bytes.byteLength !== byteLength(header)) {
    throw new WireError(
      `Array ${index} (${dtype} [${shape.join(", ")}]) needs ${byteLength(header)} bytes, ` +
        `${bytes.byteLength} came.`,
    );
  }
  const aligned = align(bytes, ITEM_SIZE[dtype]);
  const data = typed(dtype, aligned.buffer, aligned.offset, count(shape));
  if (!rounding) return { dtype, shape: [...shape], data };
  const { bound } = rounding;
  return { dtype: "float32", shape: [...shape], data: restored(data, rounding), bound };
}

const restored = (numbers: NdArray["data"], { low, step }: Rounding): Float32Array =>
  Float32Array.from(numbers, (number) => low + step * number);

/** A buffer and an offset in it that is a multiple of `size`; copies only if it must. */
function align(bytes: Bytes, size: number): { buffer: ArrayBuffer; offset: number } {
  if (bytes instanceof ArrayBuffer) return { buffer: bytes, offset: 0 };
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset % size === 0) return { buffer, offset: byteOffset };
  return { buffer: buffer.slice(byteOffset, byteOffset + byteLength), offset: 0 };
}

function typed(
  dtype: ArrayHeader["dtype"],
  buffer: ArrayBuffer,
  offset: number,
  length: number,
): NdArray["data"] {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, offset, length);
    case "float16":
      return float16ToFloat32(new Uint16Array(buffer, offset, length));
    case "int32":
      return new Int32Array(buffer, offset, length);
    case "uint8":
      return new Uint8Array(buffer, offset, length);
  }
}

/** Arrays from their headers and as many buffers. */
export function decodeArrays(headers: unknown, buffers: unknown): NdArray[] {
  if (!Array.isArray(headers) || !Array.isArray(buffers)) {
    throw new WireError("There is no list of arrays with a list of buffers.");
  }
  if (headers.length !== buffers.length) {
    throw new WireError(`${headers.length} arrays are announced, ${buffers.length} buffers came.`);
  }
  return headers.map((header, i) => decodeArray(header, buffers[i], i));
}

/** `{ "$array": i }` anywhere in `value` becomes the array. */
function fill(value: unknown, arrays: readonly NdArray[]): unknown {
  if (Array.isArray(value)) return value.map((item) => fill(item, arrays));
  if (!isFields(value)) return value;
  if ("$array" in value) {
    const array = arrays[Number(value.$array)];
    if (!array)
      throw new WireError(`The payload refers to array ${value.$array}, which is missing.`);
    return array;
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, arrays)]));
}

/** A result from its payload `{ header, buffers }`. Arrays share memory with the buffers.
 * @throws WireError if version, kind, dtype, shape or length is not as announced. */
export function decodeResult(payload: unknown): Result {
  if (!isFields(payload) || !isFields(payload.header)) {
    throw new WireError("This is not a Headscope payload: it has no header.");
  }
  const { version, kind, arrays, data } = payload.header;
  if (version !== VERSION) {
    throw new WireError(
      `The payload is version ${version}, this page reads version ${VERSION}. ` +
        "Use the same Headscope release on both sides.",
    );
  }
  if (!Object.hasOwn(KINDS, String(kind))) throw new WireError(`Unknown result kind "${kind}".`);
  if (!isFields(data) || data.kind !== kind) {
    throw new WireError(`The payload does not describe a ${kind}.`);
  }
  return fill(data, decodeArrays(arrays, payload.buffers)) as unknown as Result;
}

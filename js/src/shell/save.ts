// Files that the page makes.
import { withText } from "../draw/png";

/** Pixels of a saved picture for each of the figure's. */
const FINE = 2;

export function saveFile(content: BlobPart, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** An SVG as the bytes of a PNG, with its record in a chunk. */
export async function rasterised(svg: string, record: string): Promise<Uint8Array<ArrayBuffer>> {
  const image = new Image();
  // Unlike a blob's address, this one is of the page itself, whose canvas may then be read.
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth * FINE;
  canvas.height = image.naturalHeight * FINE;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((taken) => canvas.toBlob(taken));
  if (!blob) throw new Error("The browser cannot make so large a picture.");
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return withText(bytes, "headscope", record);
}

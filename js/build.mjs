// Bundles the two entries into the Python package: one ES module for notebooks, one classic script
// for saved pages. No source maps, nothing that depends on when or where it was built.
import { mkdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const LIMIT = 150_000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = here("../src/headscope/static/");

const common = {
  bundle: true,
  minify: true,
  target: "es2022",
  legalComments: "none",
  absWorkingDir: here("."),
  logLevel: "warning",
};

await mkdir(folder, { recursive: true });
await Promise.all([
  build({
    ...common,
    entryPoints: ["src/widget.ts"],
    format: "esm",
    outfile: `${folder}widget.js`,
  }),
  build({
    ...common,
    entryPoints: ["src/frozen.ts"],
    format: "iife",
    outfile: `${folder}frozen.js`,
  }),
]);

for (const name of ["widget.js", "frozen.js"]) {
  const { size } = await stat(folder + name);
  console.log(`${name} ${(size / 1000).toFixed(1)} kB`);
  if (size >= LIMIT) {
    console.error(`${name} is over the limit of ${LIMIT / 1000} kB.`);
    process.exitCode = 1;
  }
}

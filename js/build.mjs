// Bundles the front end into the Python package: ES modules for notebooks and classic scripts for saved
// pages, the shell with the heatmap and each other view apart. No source maps, nothing that depends on when or where it was built.
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { minify } from "terser";

// Bytes of a bundle. It protects the size of what people save: a notebook whose widget state is
// stored holds widget.js once, however many widgets it shows (widgets/core.py and loader.js), and so
// does each saved page frozen.js. Neither can be fetched from elsewhere when it is opened again.
const LIMIT = 150_000;
/** Views, and the frame of widgets that hold others, in bundles of their own. */
const ISLANDS = ["attention", "graph", "curves", "texts", "bars", "panes", "interventions"];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = here("../src/headscope/static/");

/** Style sheets, as text without the white space that they are written with. */
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path), { loader: "css", minify: true });
      return { contents: code.trimEnd(), loader: "text" };
    });
  },
};

/** JSX as nested calls: shorter by 2 kB than the objects of the automatic runtime. */
const jsx = {
  inject: ["src/jsx.ts"],
  tsconfigRaw: {
    compilerOptions: { jsx: "react", jsxFactory: "h", jsxFragmentFactory: "Fragment" },
  },
};

const common = {
  ...jsx,
  bundle: true,
  minify: true,
  charset: "utf8",
  plugins: [styles],
  target: "es2022",
  legalComments: "none",
  absWorkingDir: here("."),
  logLevel: "warning",
};

/** Bundled by esbuild, then minified once more: terser takes another 2 %. Nothing here calls an
 * anonymous function with `new`, the one thing that its `unsafe_arrows` breaks, and no getter does
 * anything but get. */
async function write(entry, format, name, more = {}) {
  const from = typeof entry === "string" ? { entryPoints: [entry] } : { stdin: entry };
  const options = { ...common, ...more, ...from, format, write: false };
  const { outputFiles } = await build(options);
  const { code } = await minify(outputFiles[0].text, {
    module: format === "esm",
    ecma: 2020,
    compress: { passes: 3, pure_getters: true, unsafe_arrows: true },
  });
  await writeFile(folder + name, code);
}

/** The shell's Preact, in the place of a second one: what this bundle imports of it is bound by the
 * shell before anything is drawn. */
const borrowed = {
  name: "borrowed",
  setup({ onResolve }) {
    onResolve({ filter: /^preact(\/hooks)?$/ }, () => ({ path: here("src/lend/borrowed.ts") }));
  },
};

const borrows = { plugins: [styles, borrowed] };

/** The two entries of an island: an anywidget module that a hidden core carries, and a script for
 * saved pages. */
const entry = (name, last) => ({
  contents: `import { island } from "./${name}";
import { leaveOnPage } from "../views/island";
${last}`,
  resolveDir: here("src/islands"),
});

await mkdir(folder, { recursive: true });
await Promise.all([
  write("src/widget.ts", "esm", "widget.js"),
  write("src/frozen.ts", "iife", "frozen.js"),
  write("src/figure.ts", "iife", "figure.js"),
  ...ISLANDS.flatMap((name) => [
    write(
      entry(name, "export default { initialize: () => island };"),
      "esm",
      `${name}.js`,
      borrows,
    ),
    write(entry(name, "leaveOnPage(island);"), "iife", `frozen-${name}.js`, borrows),
  ]),
]);

const names = [
  "widget",
  "frozen",
  "figure",
  ...ISLANDS,
  ...ISLANDS.map((name) => `frozen-${name}`),
];
for (const name of names.map((name) => `${name}.js`)) {
  const { size } = await stat(folder + name);
  console.log(`${name} ${(size / 1000).toFixed(1)} kB`);
  if (size >= LIMIT) {
    console.error(`${name} is over the limit of ${LIMIT / 1000} kB.`);
    process.exitCode = 1;
  }
}

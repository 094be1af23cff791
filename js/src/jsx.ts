// What the bundler calls for JSX; see build.mjs.
export { Fragment, h } from "preact";

import { defineConfig } from "vitest/config";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: {
    // Every character of Unicode takes a while on a busy machine.
    testTimeout: 30_000,
    include: ["test/**/*.test.{ts,tsx}"],
    restoreMocks: true,
  },
});

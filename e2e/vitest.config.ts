import { defineConfig } from "vitest/config";

// Real processes and a real browser on two cores: one file at a time, generous limits.
export default defineConfig({
  test: {
    include: ["interop/**/*.test.ts", "browser/**/*.spec.ts", "cluster/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

import { defineConfig } from "vitest/config";
import { sourceAliases } from "./test/browser/source-aliases.ts";

export default defineConfig({
  // The examples import the package by its name.
  resolve: { alias: [...sourceAliases] },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // As src/node/no-telemetry.ts.
    env: { ORT_DISABLE_TELEMETRY: "1" },
    maxWorkers: 2,
    pool: "forks",
    reporters: ["default", "./test/plain-line-reporter.ts"],
    coverage: { provider: "v8", include: ["src/**"], exclude: ["**/*.test.ts"], reporter: ["text-summary", "html"] },
  },
});

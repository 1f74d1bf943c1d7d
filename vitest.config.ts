import { defineConfig } from "vitest/config";

/**
 * unit: no privileges. kernel: root, own network namespaces. lab: whole roles in a namespace lab. One after the other, so that
 * what measures packets does not share the machine with what burns it.
 */
export default defineConfig({
  test: {
    reporters: ["default"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/kernel/real/**", "test/lab/**"],
          setupFiles: ["test/setup.ts"],
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: { name: "kernel", include: ["test/kernel/real/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        test: {
          name: "lab",
          include: ["test/lab/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: true,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Node runs no TypeScript: tests of the source compile the netlink agent's program from it. */
const alias = [
  {
    find: /^\.\/agent-program\.js$/,
    replacement: fileURLToPath(new URL("test/kernel/agent-program.ts", import.meta.url)),
  },
];

/**
 * unit: no privileges. kernel: root, own network namespaces. browser: the portal's page in Chromium. lab: whole roles in a namespace lab. One after the other, so that
 * what measures packets does not share the machine with what burns it. Labs mostly wait for calls, so more of them fit.
 */
export default defineConfig({
  test: {
    reporters: ["default"],
    projects: [
      {
        resolve: { alias },
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [
            "test/kernel/real/**",
            "test/rsvp/real/**",
            "test/stamp/real/**",
            "test/lab/**",
            "test/portal/browser/**",
          ],
          setupFiles: ["test/setup.ts"],
          testTimeout: 30_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve: { alias },
        test: {
          name: "kernel",
          include: ["test/kernel/real/**/*.test.ts", "test/rsvp/real/**/*.test.ts", "test/stamp/real/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve: { alias },
        test: {
          name: "browser",
          include: ["test/portal/browser/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "lab",
          include: ["test/lab/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: true,
          maxWorkers: 5,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

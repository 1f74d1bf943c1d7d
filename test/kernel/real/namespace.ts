/**
 * Runs a test file inside a network namespace of its own: node cannot move a running process, so the outer
 * test starts vitest again under `unshare`. Both namespaces, network and mounts, end with that process, also when
 * it is killed: names under /run/netns are seen by nobody else and nothing has to be cleaned up.
 */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, it } from "vitest";

const INSIDE = "SLUICE_TEST_NAMESPACE";
const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const ENTER = "mkdir -p /run/netns && mount -t tmpfs none /run/netns && mount -t sysfs none /sys && ip link set lo up";

/** `suite` registers the tests, inside; they have so many seconds together. */
export function inOwnNamespace(fileUrl: string, suite: () => void, seconds = 180): void {
  const file = fileURLToPath(fileUrl);
  if (process.env[INSIDE] === file) {
    suite();
    return;
  }
  describe("in a network namespace", () => {
    it("passes", { timeout: (seconds + 10) * 1000 }, async () => {
      const vitest = [process.execPath, "node_modules/vitest/vitest.mjs", "run", "--project", "kernel", file];
      const command = `${ENTER} && exec "$@"`;
      const result = await execa(
        "unshare",
        ["--net", "--mount", "--", "sh", "-c", command, "sh", ...vitest, "--no-color"],
        {
          cwd: REPOSITORY,
          env: { [INSIDE]: file, VITEST: undefined, VITEST_WORKER_ID: undefined, VITEST_POOL_ID: undefined },
          reject: false,
          all: true,
          timeout: seconds * 1000,
        },
      );
      expect(result.exitCode, result.all).toBe(0);
      expect(result.all).toMatch(/Tests {2}\d+ passed/);
    });
  });
}

/** Runs a command and gives its standard output. */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  return (await execa(command, args, { env: { LC_ALL: "C" } })).stdout;
}

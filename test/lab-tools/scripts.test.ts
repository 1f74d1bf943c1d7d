/** The lab's scripts as far as they can be judged without root: what they refuse, and that the linters like them. */
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const isInstalled = async (program: string): Promise<boolean> =>
  (await execa("sh", ["-c", `command -v ${program}`], { reject: false })).exitCode === 0;
const lab = (...args: string[]) => execa("bash", ["scripts/netns-lab.sh", ...args], { cwd: ROOT, reject: false });
const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

describe("netns-lab.sh", () => {
  it("explains itself and ends with 2 when the verb is missing or unknown", async () => {
    for (const args of [[], ["fly"]]) {
      const { exitCode, stdout, stderr } = await lab(...args);
      expect([exitCode, stdout]).toEqual([2, ""]);
      expect(stderr).toContain("usage: netns-lab.sh");
    }
  });

  it.each([["Upper"], ["a b"], ["../x"], ["-x"], ["x".repeat(40)], [""]])(
    "refuses the prefix %j in one line",
    async (prefix) => {
      const { exitCode, stderr } = await lab("--prefix", prefix, "status");
      expect(exitCode).toBe(2);
      expect(lines(stderr)).toHaveLength(1);
      expect(stderr).toContain("prefix");
    },
  );

  it.each([
    ["--sites", "1"],
    ["--sites", "5"],
    ["--sites", "two"],
    ["--links", "10"],
    ["--links", "0 Mbit/s"],
    ["--links", "10 MB/s"],
    ["--links", "10 Mbit/s; reboot"],
  ])("refuses up %s %j in one line that says what it takes", async (option, value) => {
    const { exitCode, stderr } = await lab("up", option, value);
    expect(exitCode).toBe(2);
    expect(lines(stderr)).toHaveLength(1);
    expect(stderr).toContain(`${option} takes`);
    expect(stderr).toContain(`'${value}'`);
  });

  it.each([[["--sites"]], [["--links"]], [["--transit", "yes"]], [["--rings", "3"]]])(
    "explains itself after up %j",
    async (args) => {
      const { exitCode, stderr } = await lab("up", ...args);
      expect(exitCode).toBe(2);
      expect(stderr).toContain("usage: netns-lab.sh");
    },
  );
});

describe("linters", async () => {
  // scripts/setup.sh installs the other tools; Vagrant is checked where somebody has it.
  const vagrant = await isInstalled("vagrant");

  it("shellcheck finds nothing in the scripts", async () => {
    const scripts = ["netns-lab.sh", "setup.sh", "demo.sh", "provision-vm.sh"].map((name) => `scripts/${name}`);
    const libraries = (await readdir(`${ROOT}/scripts/lib`)).map((name) => `scripts/lib/${name}`);
    const { stdout } = await execa("shellcheck", ["-x", ...scripts, ...libraries], { cwd: ROOT, reject: false });
    expect(stdout).toBe("");
  });

  it("the SIPp scenarios are well-formed", async () => {
    const scenarios = (await readdir(`${ROOT}/scripts/lab/sipp`)).map((name) => `scripts/lab/sipp/${name}`);
    const { stderr } = await execa("xmllint", ["--noout", ...scenarios], { cwd: ROOT, reject: false });
    expect(stderr).toBe("");
  });

  it.runIf(vagrant)("vagrant accepts the Vagrantfile", async () => {
    const env = { VAGRANT_CHECKPOINT_DISABLE: "1", VAGRANT_HOME: "/tmp/sluice-vagrant" };
    const { exitCode } = await execa("vagrant", ["validate", "--ignore-provider"], { cwd: ROOT, env, reject: false });
    expect(exitCode).toBe(0);
  });
});

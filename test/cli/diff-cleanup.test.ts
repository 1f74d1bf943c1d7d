import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderSteps } from "../../src/cli/steps.js";
import type { DiffView } from "../../src/control/views.js";
import { KernelError } from "../../src/model/errors.js";
import { roleSockets } from "./role-sockets.js";

const sockets = roleSockets("sluice-diff-");
const { role } = sockets;

const sluice = (...args: readonly string[]) => sockets.sluice(args);

function config(): string {
  const file = join(sockets.directory, "router.yaml");
  const keys = [
    "role: router",
    "name: r1.example",
    `control: ${join(sockets.directory, "r1.sock")}`,
    'pdp: { servers: ["10.1.0.6:3288"] }',
    "kernel: { interfaces: [ { name: core, rate: 10 Mbit/s, signalling: 256 kbit/s } ] }",
  ];
  writeFileSync(file, `${keys.join("\n")}\n`);
  return file;
}

const SAME: DiffView = { backend: "nf_tables", differences: [], total: 0, kept: 3 };
const DIFFERENT: DiffView = {
  backend: "nf_tables",
  differences: [{ kind: "pool", object: "2", wanted: "voice: 500000 bit/s", found: "absent" }],
  total: 1,
  kept: 1,
};
const STEP = { tool: "nft", args: ["-f", "-"], input: "add element inet t s { 0x2 }\n" };

describe("diff", () => {
  it("ends with 0 where the kernel holds what is wanted", async () => {
    await role("r1", { "/v1/diff": async () => SAME });
    await role("pol1", { "/v1/health": async () => ({}) });
    expect(await sluice("diff")).toEqual({
      code: 0,
      out: "r1: the kernel holds what is wanted; 3 flows kept\n",
      err: "",
    });
  });

  it("ends with 1 where it differs, one row for each object", async () => {
    await role("r1", { "/v1/diff": async () => DIFFERENT });
    const { code, out } = await sluice("diff");
    expect(code).toBe(1);
    expect(out).toBe(
      [
        "r1: 1 difference; 1 flow kept",
        "KIND  OBJECT  WANTED               FOUND",
        "pool  2       voice: 500000 bit/s  absent",
        "",
      ].join("\n"),
    );
  });

  it("asks for what would mend it only with --dry-run, and prints it as a script", async () => {
    await role("r1", {
      "/v1/diff": async ({ render }) => (render === undefined ? DIFFERENT : { ...DIFFERENT, steps: [STEP] }),
    });
    expect((await sluice("diff")).out).not.toContain("nft");
    const { code, out } = await sluice("diff", "--dry-run");
    expect(code).toBe(1);
    expect(out).toMatch(/^# r1: .*\n# KIND .*\n# pool .*\nnft -f - <<'EOF'\nadd element inet t s \{ 0x2 \}\nEOF\n$/);
  });

  it("prints JSON", async () => {
    await role("r1", { "/v1/diff": async () => ({ ...DIFFERENT, steps: [STEP] }) });
    const { out } = await sluice("diff", "--dry-run", "-o", "json");
    expect(JSON.parse(out)).toEqual({
      apiVersion: "sluice/v1",
      kind: "diff",
      items: [{ role: "r1", ...DIFFERENT.differences[0] }],
      roles: [{ role: "r1", backend: "nf_tables", total: 1, kept: 1, steps: [STEP] }],
    });
  });

  it("tells how many rows are not shown", async () => {
    await role("r1", { "/v1/diff": async () => ({ ...DIFFERENT, total: 5 }) });
    expect((await sluice("diff")).out).toContain("… and 4 more\n");
  });

  it("ends with 2 where a router cannot be asked, or fails, or none is there", async () => {
    expect((await sluice("diff")).code).toBe(2);
    await role("pol1", { "/v1/health": async () => ({}) });
    const none = await sluice("diff");
    expect([none.code, none.out]).toEqual([2, ""]);
    expect(none.err).toContain("none of the roles asked is a router");
    await role("r1", {
      "/v1/diff": () => Promise.reject(new KernelError("KERNEL_REFUSED", "the kernel refused", { operation: "x" })),
    });
    await role("r2", { "/v1/diff": async () => SAME });
    const failed = await sluice("diff");
    expect(failed.code).toBe(2);
    expect(failed.err).toContain("the kernel refused");
    expect(failed.out).toContain("r2: the kernel holds what is wanted");
    expect((await sluice("diff", "-c", join(sockets.directory, "none.yaml"))).code).toBe(2);
  });

  it("asks the router of the configuration that it is given", async () => {
    await role("r1", { "/v1/diff": async () => SAME });
    await role("r2", { "/v1/diff": async () => DIFFERENT });
    expect(await sluice("diff", "-c", config())).toMatchObject({ code: 0 });
  });

  it("refuses an answer of another version", async () => {
    await role("r1", { "/v1/diff": async () => ({ differences: 3 }) });
    expect((await sluice("diff")).code).toBe(2);
  });
});

describe("cleanup", () => {
  it("refuses while the router of the configuration runs", async () => {
    await role("r1", { "/v1/health": async () => ({ status: "ok" }) });
    const { code, out, err } = await sluice("cleanup", "-c", config());
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("is running");
    expect(err).toContain("--force");
  });

  it("refuses in doubt, too: a router that fails to answer", async () => {
    await role("r1", { "/v1/other": async () => ({}) });
    expect((await sluice("cleanup", "-c", config())).code).toBe(2);
  });

  it("needs a configuration", async () => {
    expect((await sluice("cleanup")).code).toBe(2);
  });
});

describe("steps as a script", () => {
  it("gives each tool exactly its arguments and its input, whatever is in them", () => {
    const input = "line 'one' $HOME `id`\nEOF\nEOF_\n\\ last\n";
    const script = renderSteps([
      { tool: "printf", args: ["%s|", "it's", "$(id)", "two words", ""], input: "" },
      { tool: "cat", args: ["-"], input },
      { tool: "cat", args: [], input: "no newline" },
    ]);
    const out = execFileSync("sh", ["-e", "-c", script], { encoding: "utf8" });
    expect(out).toBe(`it's|$(id)|two words||${input}no newline\n`);
  });

  it("shows what no tool does as a comment", () => {
    const script = renderSteps([{ tool: "bpf", args: [], input: "attach a to b egress\nflow remove $(exit 3)\n" }]);
    expect(script).toBe("# bpf(2): attach a to b egress\n# bpf(2): flow remove $(exit 3)\n");
    expect(execFileSync("sh", ["-e", "-c", script], { encoding: "utf8" })).toBe("");
  });
});

/** A role that cannot start says why in one line, exits with 2, and leaves nothing half-installed. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "./support/root.js";
import { TestLab } from "./support/test-lab.js";

/** Takes part in no call: roles are tried here. */
const HOST = "load1";

let lab: TestLab;
let work: string;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "sluice-start-"));
  lab = await TestLab.up({ captures: false });
}, 300_000);
afterAll(async () => {
  await lab?.down();
  rmSync(work, { recursive: true, force: true });
});

const router = () =>
  readFileSync(join(ROOT, "configs/lab/r1.yaml"), "utf8")
    .replace(/name: core, rate: 10 Mbit\/s/, "name: eth0, rate: 10 Mbit/s")
    .replace(/^ *- \{ name: access.*\n/m, "");

/** Runs a role on the spare host, its state and socket in a directory of this test. */
async function run(role: string, file: string, { host = HOST, before = [] as readonly string[] } = {}) {
  const command = [...before, "node", join(ROOT, "dist/cli/main.js"), "run", role, "-c", file];
  const result = await execa("ip", ["netns", "exec", `${lab.prefix}-${host}`, ...command], {
    env: { SLUICE_LAB: work },
    reject: false,
    timeout: 15_000,
  });
  return {
    code: result.exitCode,
    lines: result.stderr.split("\n").filter((line) => line !== ""),
    stdout: result.stdout,
  };
}

function write(name: string, text: string): string {
  const path = join(work, name);
  writeFileSync(path, text);
  return path;
}

async function expectNothingInstalled(socket: string, host = HOST): Promise<void> {
  const ruleset = await lab.lab.exec(host, ["nft", "list", "ruleset"]);
  const qdiscs = await lab.lab.exec(host, ["tc", "qdisc", "show"]);
  expect({ ruleset, htb: qdiscs.includes("htb"), socket: existsSync(join(work, "run", socket)) }).toEqual({
    ruleset: "",
    htb: false,
    socket: false,
  });
}

describe("a configuration that cannot be used: file:line:column, what is wrong, and what to do", () => {
  test.each([
    ["bad YAML", (text: string) => text.replace("table: sluice", "table: [sluice"), /^(\S+):\d+:\d+: .+/],
    ["unknown key", (text: string) => text.replace("table:", "tabel:"), /^(\S+):\d+:\d+: .*tabel.*; .*table/],
    ["wrong unit", (text: string) => text.replace("10 Mbit/s", "10 MB"), /^(\S+):\d+:\d+: .*; .+/],
  ])("%s", async (name, spoil, pattern) => {
    const text = spoil(router());
    expect(text, "the spoilt file").not.toBe(router());
    const path = write(`${name.replace(" ", "-")}.yaml`, text);
    const { code, lines } = await run("router", path);
    expect({ code, lines: lines.length }, lines.join("\n")).toEqual({ code: 2, lines: 1 });
    const line = lines[0]?.replace(/^sluice: /, "") ?? "";
    expect(line).toMatch(pattern);
    expect(line.startsWith(`${path}:`), line).toBe(true);
    await expectNothingInstalled("r1.sock");
  });

  test("missing file", async () => {
    const path = join(work, "nowhere.yaml");
    const { code, lines } = await run("router", path);
    expect({ code, lines: lines.length }, lines.join("\n")).toEqual({ code: 2, lines: 1 });
    expect(lines[0]).toContain(path);
    await expectNothingInstalled("r1.sock");
  });
});

describe("a machine that cannot run the role: one line, and everything given back", () => {
  test("no root", async () => {
    const path = write("router.yaml", router());
    const before = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"];
    const { code, lines } = await run("router", path, { before });
    expect({ code, lines: lines.length }, lines.join("\n")).toEqual({ code: 2, lines: 1 });
    expect(lines[0]).toMatch(/CAP_NET_ADMIN|root|sudo/);
    await expectNothingInstalled("r1.sock");
  });

  test("an interface with somebody else's queues", async () => {
    const path = write("router-queues.yaml", router().replace("name: eth0", "name: dummy9"));
    const foreign = "ip link add dummy9 type veth peer name dummy8 && tc qdisc add dev dummy9 root handle 5: pfifo";
    await lab.lab.exec(HOST, ["sh", "-c", foreign]);
    const { code, lines } = await run("router", path);
    await lab.lab.exec(HOST, ["ip", "link", "del", "dummy9"]);
    expect({ code, lines: lines.length }, lines.join("\n")).toEqual({ code: 2, lines: 1 });
    expect(lines[0]).toContain("dummy9");
    await expectNothingInstalled("r1.sock");
  });

  test.each([
    ["pdp", "pol1", "10.1.0.6:3288"],
    ["proxy", "sip1", "10.1.0.5:5060"],
    ["clearinghouse", "ch", "10.4.0.7:5045"],
  ])("port in use: %s", async (role, host, address) => {
    for (const file of ["ch.key", "ch.crt"])
      writeFileSync(join(work, file), readFileSync(join(lab.lab.directory, file)));
    const { code, lines } = await run(role, join(ROOT, `configs/lab/${host}.yaml`), { host });
    expect({ code, lines: lines.length }, lines.join("\n")).toEqual({ code: 2, lines: 1 });
    expect(lines[0]).toContain(address);
    await expectNothingInstalled(`${host}.sock`, host);
  });

  test("a control socket at which another one answers", async () => {
    // The running role's own configuration: the second one must not take its socket, nor its kernel state, away.
    const before = await lab.lab.exec("r1", ["nft", "list", "ruleset"]);
    const result = await execa(
      "ip",
      [
        "netns",
        "exec",
        `${lab.prefix}-r1`,
        "node",
        join(ROOT, "dist/cli/main.js"),
        "run",
        "router",
        "-c",
        join(lab.configs, "r1.yaml"),
      ],
      { env: { SLUICE_LAB: lab.lab.directory }, reject: false, timeout: 15_000 },
    );
    expect(result.exitCode, result.stderr).toBe(2);
    expect(await lab.lab.exec("r1", ["nft", "list", "ruleset"])).toBe(before);
    expect(await lab.view("r1", "pools"), "the first router answers as before").toHaveLength(1);
  });
});

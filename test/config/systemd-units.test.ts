/** The systemd units that are shipped: they start the shipped examples, with the rights that these need and no others. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig, ROLES } from "../../src/config/load.js";

const CONFIGS = join(import.meta.dirname, "../../configs");
const UNITS = join(CONFIGS, "systemd");
const PAGE = readFileSync(join(CONFIGS, "../docs/OPERATIONS.md"), "utf8");
const SERVICES = readdirSync(UNITS).filter((name) => name.endsWith(".service"));
const isInstalled = await execa("systemd-analyze", ["--version"], { reject: false }).then(
  ({ exitCode }) => exitCode === 0,
);

const textOf = (name: string): string => readFileSync(join(UNITS, name), "utf8");
const setting = (text: string, key: string): string | undefined => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-units-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("units of systemd", () => {
  it.each(ROLES)("%s: runs the example from where its keys say", (role) => {
    const unit = textOf(`sluice-${role}.service`);
    const config = loadConfig(join(CONFIGS, `${role}.yaml`), role, { needFiles: false });
    expect(setting(unit, "ExecStart")).toBe(`/usr/local/bin/sluice run ${role} -c /etc/sluice/${role}.yaml`);
    expect(`/var/lib/${setting(unit, "StateDirectory")}`).toBe(config.state);
    expect(setting(unit, "ReadWritePaths")).toBe(dirname(config.control));
    expect([setting(unit, "User"), setting(unit, "Group")]).toEqual(["sluice", "sluice"]);
  });

  it.each([
    ["pdp", ""],
    ["proxy", ""],
    ["clearinghouse", ""],
    ["portal", "CAP_NET_BIND_SERVICE"],
    ["router", "CAP_NET_ADMIN CAP_NET_BIND_SERVICE"],
  ])("%s: has no capability but %j", (role, capabilities) => {
    const unit = textOf(`sluice-${role}.service`);
    expect(setting(unit, "CapabilityBoundingSet")).toBe(capabilities);
    expect(setting(unit, "AmbientCapabilities") ?? "").toBe(capabilities);
    expect(setting(unit, "NoNewPrivileges")).toBe("yes");
  });

  it("clean nothing up at a stop: sessions go on", () => {
    for (const name of SERVICES) expect(textOf(name)).not.toMatch(/^ExecStop/m);
  });

  it("put sockets where the example of tmpfiles.d makes a directory of their group", () => {
    expect(textOf("sluice.tmpfiles.conf")).toContain("d /run/sluice 2770 root sluice -");
  });

  it("are named in docs/OPERATIONS.md", () => {
    for (const name of readdirSync(UNITS)) expect(PAGE).toContain(name.replace(/^(sluice)-(?!watch)\w+/, "$1-ROLE"));
  });

  // Debian has it where systemd starts the machine.
  it.runIf(isInstalled).each(SERVICES)("%s: systemd-analyze finds nothing", async (name) => {
    // It wants programs to be there.
    writeFileSync(join(directory, name), textOf(name).replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`));
    const verify = ["verify", "--man=no", join(directory, name)];
    const { exitCode, stderr } = await execa("systemd-analyze", verify, { reject: false });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  });
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { reportText } from "../../src/cli/doctor-report.js";
import { examineRoles } from "../../src/cli/doctor-roles.js";
import type { Finding } from "../../src/daemon/preflight.js";
import { roleSockets } from "./role-sockets.js";
import { runSluice } from "./run-sluice.js";

const finding = (changes: Partial<Finding>): Finding => ({
  id: "a.b",
  severity: "ok",
  what: "something",
  why: "",
  remedy: "",
  detail: "",
  ...changes,
});
const PLAIN = { all: false, color: false };

describe("the report", () => {
  it("tells what is wrong in full, worst first, and what is well shortly", () => {
    const findings = [
      finding({ id: "well.one" }),
      finding({ id: "note.one", severity: "note", what: "a note", why: "so", remedy: "nothing" }),
      finding({ id: "blind.one", severity: "unknown", what: "x", why: "no right", remedy: "sudo it" }),
      finding({
        id: "bad.one",
        severity: "error",
        what: "it is broken",
        why: "it hurts",
        remedy: "mend -it",
        detail: "one\ntwo",
      }),
      finding({ id: "blind.two", severity: "unknown", what: "y", why: "no right", remedy: "sudo it" }),
      finding({ id: "well.two" }),
    ];
    expect(reportText(findings, PLAIN)).toBe(`ERROR     it is broken  [bad.one]
          why   it hurts
          mend  mend -it
          more  one
                two

NOTE      a note  [note.one]
          why   so
          mend  nothing

NOT SEEN  2 checks
          why   no right
          mend  sudo it
          ids   blind.one, blind.two

OK        2 checks
          ids   well.one, well.two

1 error, 0 warnings, 1 note, 2 not seen, 2 ok
`);
  });

  it("lists what is well when it is asked to", () => {
    expect(reportText([finding({ what: "nft 1.0.6", detail: "x" })], { ...PLAIN, all: true })).toBe(
      "OK        nft 1.0.6  [a.b]\n          more  x\n\n0 errors, 0 warnings, 0 notes, 0 not seen, 1 ok\n",
    );
  });

  it("does not let the name of a chain command the terminal, and colours only on demand", () => {
    const hostile = finding({ severity: "warning", what: "chain \u001b[2Jx", why: "a\u0007", remedy: "b\u001b" });
    expect(reportText([hostile], PLAIN)).not.toContain("\u001b");
    const colored = reportText([hostile], { ...PLAIN, color: true });
    expect(colored).toContain("\u001b[1;33mWARNING");
    expect(colored).not.toContain("\u001b[2J");
  });

  it("breaks long lists", () => {
    const many = Array.from({ length: 60 }, (_, index) => finding({ id: `family.number${index}` }));
    const lines = reportText(many, PLAIN).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(lines.length).toBeGreaterThan(8);
  });
});

describe("roles", () => {
  const sockets = roleSockets("sluice-doctor-");
  const { role } = sockets;
  const look = () => examineRoles({ runDir: sockets.directory }, undefined);

  it("that do not run are no fault", async () => {
    expect(await look()).toMatchObject([{ id: "role.running", severity: "note" }]);
  });

  it("tell their health", async () => {
    await role("pol1", { "/v1/health": async () => ({ status: "degraded", problems: ["the router is away"] }) });
    await role("r1", { "/v1/health": async () => ({ status: "ok", problems: [] }) });
    await role("sip1", { "/v1/health": async () => 5 });
    expect(await look()).toMatchObject([
      {
        severity: "warning",
        what: "role pol1: degraded; the router is away",
        remedy: "journalctl -u sluice-pol1 -n 50",
      },
      { severity: "ok", what: "role r1 is well" },
      { severity: "warning", what: "role sip1: no health told" },
    ]);
  });

  it("tell as notes what may soon be wrong", async () => {
    const warnings = ["pool voice is near full: 96 % of it is used"];
    await role("pol1", { "/v1/health": async () => ({ status: "ok", problems: [], warnings }) });
    expect(await look()).toMatchObject([
      { severity: "ok", what: "role pol1 is well" },
      { id: "role.warning", severity: "note", what: "role pol1: pool voice is near full: 96 % of it is used" },
    ]);
  });

  it("that died and left their socket behind", async () => {
    writeFileSync(join(sockets.directory, "r1.sock"), "");
    expect(await look()).toMatchObject([
      { id: "role.answers", severity: "warning", remedy: expect.stringMatching(/./) },
    ]);
  });

  it("that promised more than their link carries", async () => {
    const entry = (kind: string, rate: number, name = "wan0") => ({ interface: name, kind, rate });
    const classes = [
      entry("link", 10e6),
      entry("signalling", 1e6),
      entry("pool", 5e6),
      entry("pool", 5e6),
      entry("default", 100e3),
      entry("link", 100e6, "lan0"),
      entry("pool", 10e6, "lan0"),
    ];
    await role("r1", {
      "/v1/health": async () => ({ status: "ok", problems: [] }),
      "/v1/show/kernel": async () => ({ structure: true, flows: 0, classes }),
    });
    expect((await look()).filter(({ id }) => id === "role.promised")).toMatchObject([
      { severity: "warning", what: "role r1 has promised 11 Mbit/s on wan0, which carries 10 Mbit/s" },
    ]);
  });
});

describe("the verb", () => {
  it("refuses a configuration that cannot be used", async () => {
    const { code, out, err } = await runSluice(["doctor", "-c", "/nonexistent/router.yaml"]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("there is no such file");
  });
});

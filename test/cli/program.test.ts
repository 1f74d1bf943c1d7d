import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { ExplainView, KernelView, PolicyView, PoolView } from "../../src/control/views.js";
import { SystemError } from "../../src/model/errors.js";
import { SETUP_LADDER, TEARDOWN_LADDER } from "../../src/model/ladder.js";
import { dscp, kilobitsPerSecond, octets, timestamp } from "../../src/model/units.js";
import { ladderLogs, SESSION } from "./ladder-logs.js";
import { roleSockets } from "./role-sockets.js";

const sockets = roleSockets("sluice-cli-");
const { role, sluice } = sockets;

const POOL: PoolView = {
  name: "voice",
  id: 1,
  rate: kilobitsPerSecond(170),
  used: kilobitsPerSecond(85.6),
  free: kilobitsPerSecond(84.4),
  sessions: 1,
};

describe("show", () => {
  it("prints a table with units, numbers to the right, and the roles", async () => {
    await role("pol1", {
      "/v1/show/pools": async () => [POOL, { ...POOL, name: "v", id: 12, used: 0, reserved: 200_000, waiting: 2 }],
    });
    await role("sip1", { "/v1/health": async () => ({}) });
    expect(await sluice(["show", "pools"])).toEqual({
      code: 0,
      err: "",
      out: [
        "ROLE  POOL   ID        RATE         USED         FREE    RESERVED  SESSIONS  WAITING",
        "pol1  voice   1  170 kbit/s  85.6 kbit/s  84.4 kbit/s                     1",
        "pol1  v      12  170 kbit/s      0 bit/s  84.4 kbit/s  200 kbit/s         1        2",
        "",
      ].join("\n"),
    });
  });

  it("prints bare base units as JSON", async () => {
    await role("pol1", { "/v1/show/pools": async () => [POOL] });
    const { out } = await sluice(["show", "pools", "-o", "json"]);
    expect(JSON.parse(out)).toEqual({ apiVersion: "sluice/v1", kind: "pools", items: [{ role: "pol1", ...POOL }] });
  });

  it("lists what is installed with the live counters", async () => {
    const policy: PolicyView = {
      id: 3,
      session: SESSION,
      flow: "udp 10.1.0.10:4000 > 10.3.0.10:4000",
      dscp: dscp(46),
      pool: "voice",
      rate: kilobitsPerSecond(80),
      counters: {
        inProfile: { packets: 500, octets: octets(100_000) },
        outOfProfile: { packets: 0, octets: octets(0) },
      },
    };
    await role("r1", { "/v1/show/policies": async () => [policy] });
    const { out } = await sluice(["show", "policies", "--socket", join(sockets.directory, "r1.sock")]);
    const [head = "", row = ""] = out.split("\n");
    expect(row.replaceAll(/ {2,}/g, "|")).toBe(
      `r1|3|${SESSION}|udp 10.1.0.10:4000 > 10.3.0.10:4000|EF|voice|80 kbit/s|500|100000 B|0|0 B`,
    );
    expect(row).toHaveLength(head.length);
  });

  it("shows the classes of a kernel, and an empty pool list as its titles", async () => {
    const view: KernelView = {
      structure: true,
      flows: 2,
      classes: [
        {
          interface: "core",
          kind: "pool",
          pool: "voice",
          rate: kilobitsPerSecond(170),
          sent: { packets: 9, octets: octets(900) },
          dropped: 1,
          backlog: octets(0),
        },
      ],
    };
    await role("r1", { "/v1/show/kernel": async () => view, "/v1/show/pools": async () => [] });
    const { out } = await sluice(["show", "kernel"]);
    expect(out.split("\n")[1]?.replaceAll(/ {2,}/g, "|")).toBe("r1|true|2|core|pool|voice|170 kbit/s|9|900 B|1|0 B");
    expect((await sluice(["show", "pools"])).out).toContain("ROLE");
  });

  it("does not let a peer's text command the terminal, and colours only terminals that want it", async () => {
    await role("sip1", { "/v1/show/sessions": async () => [{ session: SESSION, caller: "\u001b[2Jalice" }] });
    expect((await sluice(["show", "sessions"])).out).not.toContain("\u001b");
    const colored = (await sluice(["show", "sessions"], { isTerminal: true })).out;
    expect(colored).toContain("\u001b[1mROLE");
    expect(colored).not.toContain("\u001b[2J");
    expect((await sluice(["show", "sessions"], { isTerminal: true, env: { NO_COLOR: "1" } })).out).not.toContain(
      "\u001b",
    );
  });

  it("shows a router's reservations, and one that has none", async () => {
    const whole = { transport: "raw", refresh: 30_000, interfaces: [], neighbours: [], counters: {} };
    const session = {
      role: "transit",
      sender: "10.1.0.1",
      destination: "10.3.0.1",
      dscp: 46,
      wanted: 400_000,
      granted: 240_000,
      previousHop: "10.2.1.1",
      nextHop: "10.2.2.1",
    };
    await role("t", { "/v1/show/rsvp": async () => ({ ...whole, sessions: [session] }) });
    await role("t2", { "/v1/show/rsvp": async () => ({ ...whole, transport: "udp", sessions: [] }) });
    const { out } = await sluice(["show", "rsvp"]);
    expect(out).toMatch(
      /^t +raw +transit +10\.1\.0\.1 +10\.3\.0\.1 +EF +400 kbit\/s +240 kbit\/s +10\.2\.1\.1 +10\.2\.2\.1/m,
    );
    expect(out).toMatch(/^t2 +udp *$/m);
  });

  it("says what cannot be shown, and shows the rest", async () => {
    expect(await sluice(["show", "pools"])).toMatchObject({
      code: 2,
      out: "",
      err: `sluice: no role has a control socket in ${sockets.directory}; start a role, or name its socket with --socket or their directory with --run-dir\n`,
    });
    await role("pol1", { "/v1/show/pools": async () => [POOL] });
    await role("r1", { "/v1/show/pools": () => Promise.reject(new SystemError("X", "it hurts", { remedy: "stop" })) });
    const some = await sluice(["show", "pools"]);
    expect(some).toMatchObject({ code: 2, err: `sluice: ${join(sockets.directory, "r1.sock")}: it hurts; stop\n` });
    expect(some.out).toContain("pol1");
    expect((await sluice(["show", "kernel"])).err).toMatch(
      /^sluice: none of the roles asked has kernel to show; .*\n$/,
    );
    await role("sip1", { "/v1/show/pools": async () => [5] });
    expect(await sluice(["show", "pools"])).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining("sip1 answered something else than was asked"),
    });
  });
});

describe("explain", () => {
  const view: ExplainView = {
    session: SESSION,
    outcome: "refused",
    steps: [{ at: timestamp(1_767_323_045_678), what: "admission", detail: "pool voice is full" }],
    refusal: {
      admitted: false,
      reason: "noRoom",
      text: "There is no room.",
      pool: "voice",
      needed: kilobitsPerSecond(85.6),
      free: kilobitsPerSecond(40),
    },
  };

  it("tells why, with the numbers", async () => {
    await role("pol1", { "/v1/explain": async ({ session }) => (session === "call@host" ? view : undefined) });
    await role("pol2", { "/v1/explain": async () => undefined });
    expect((await sluice(["explain", "call@host"])).out).toBe(
      `pol1: session ${SESSION}: refused
refused: noRoom: There is no room. (pool voice, needed 85.6 kbit/s, free 40 kbit/s)
TIME                  STEP       DETAIL
2026-01-02T03:04:05Z  admission  pool voice is full
`,
    );
    const json = await sluice(["explain", "call@host", "-o", "json"]);
    expect(JSON.parse(json.out)).toEqual({
      apiVersion: "sluice/v1",
      kind: "explanation",
      items: [{ role: "pol1", ...view }],
    });
  });

  it("says when nobody knows the session, or answers nonsense", async () => {
    await role("pol1", { "/v1/explain": async () => undefined });
    expect(await sluice(["explain", "x"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^sluice: no role that was asked knows session x; .*\n$/) as string,
    });
    await role("pol2", { "/v1/explain": async () => ({ session: 5 }) });
    expect((await sluice(["explain", "x"])).err).toContain("pol2 answered something else");
  });
});

describe("trace", () => {
  const steps = [...SETUP_LADDER.filter(({ protocol }) => protocol !== "RTP"), ...TEARDOWN_LADDER];

  beforeEach(async () => {
    for (const { host, events } of ladderLogs(steps)) {
      // SIP roles know the Call-ID; all know the session.
      const knowsCallId = host.startsWith("SIP");
      await role(`role-${host.toLowerCase()}`, {
        "/v1/health": async () => ({ name: `${host.toLowerCase()}.a.example` }),
        "/v1/events": async ({ session }) => {
          if (session === SESSION) return { session: SESSION, events };
          return knowsCallId && session === "call@host" ? { session: SESSION, events } : { session: null, events: [] };
        },
      });
    }
  });

  it.each([SESSION, "call@host"])("prints the ladder of %s", async (name) => {
    const { code, out, err } = await sluice(["trace", name]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const lines = out.split("\n");
    expect(lines[0]).toBe(`session ${SESSION}`);
    expect(lines[2]).toBe("set-up (complete)");
    expect(lines[4]).toBe(" 1   0.000  UAC   SIP1  SIP       INVITE");
    expect(lines[31]).toBe("28  27.000  SIP2  UAS   SIP       ACK");
    expect(lines[33]).toBe("teardown (complete)");
    expect(lines[52]).toBe("18  45.000  CH    POL2  OSP       UsageCnf");
  });

  it("prints the same as JSON, and takes hosts from the operator", async () => {
    const { out } = await sluice(["trace", SESSION, "-o", "json", "--hosts", "PHONE=10.1.0.10"]);
    const { setup, teardown } = JSON.parse(out) as Record<"setup" | "teardown", { steps: object[]; missing: number[] }>;
    expect(setup.steps).toHaveLength(28);
    expect(setup.missing).toEqual([1, 22, 25, 26]);
    expect(teardown.steps[17]).toEqual({ n: 18, from: "CH", to: "POL2", protocol: "OSP", message: "UsageCnf", ms: 45 });
  });

  it("says what is wrong with the question", async () => {
    expect((await sluice(["trace", "nobody"])).err).toContain("saw messages of session nobody");
    expect(await sluice(["trace", SESSION, "--hosts", "UAC"])).toMatchObject({
      code: 2,
      err: 'sluice: "UAC" is not a host with its address; write such as --hosts UAC=10.1.0.10,UAS=10.3.0.10\n',
    });
  });
});

describe("check, doctor and wrong use", () => {
  it("checks several files, and tells all problems, one a line", async () => {
    const router = readFileSync(join(import.meta.dirname, "../../configs/router.yaml"), "utf8");
    const good = join(sockets.directory, "good.yaml");
    const bad = join(sockets.directory, "bad.yaml");
    writeFileSync(good, router);
    writeFileSync(bad, router.replace("table: sluice", "tabel: sluice").replace("19 Mbit/s", "19 Mb"));
    expect(await sluice(["check", good])).toEqual({ code: 0, out: `${good}: router r1.a.example: ok\n`, err: "" });
    const both = await sluice(["check", bad, good]);
    expect(both.code).toBe(2);
    expect(both.out).toBe(`${good}: router r1.a.example: ok\n`);
    const lineOf = (words: string): number => router.split("\n").findIndex((line) => line.includes(words)) + 1;
    expect(both.err.split("\n")).toEqual([
      `${bad}:${lineOf("table: sluice")}:3: unknown key "tabel" in kernel; did you mean "table"?`,
      `${bad}:${lineOf("19 Mbit/s")}:27: kernel.interfaces[0].rate: "Mb" is not a unit of a rate; use one of bit/s, kbit/s, Mbit/s, Gbit/s`,
      "",
    ]);
  });

  it("refuses to run with a wrong file, in words and without a stack", async () => {
    const missing = join(sockets.directory, "no.yaml");
    expect(await sluice(["run", "pdp", "-c", missing])).toEqual({
      code: 2,
      out: "",
      err: `${missing}:1:1: there is no such file; check the path given with -c\n`,
    });
  });

  it.each([
    [["frob"], "unknown command 'frob'"],
    [["shwo"], "Did you mean show?"],
    [
      ["show", "everything"],
      "choose one of sessions, policies, pools, communities, kernel, reconcile, rsvp, reservations, tunnels, peers, usage, quality, stamp, registrations, live, records, portal, counters",
    ],
    [["run", "gateway", "-c", "x"], "choose one of pdp, proxy, router, clearinghouse, portal"],
    [["run", "pdp"], "required option '-c, --config <file>' not specified"],
    [["show", "pools", "-o", "xml"], "Allowed choices are table, json"],
  ])("says what is wrong with %j", async (args, words) => {
    const { code, err, out } = await sluice(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(words);
  });

  it("helps, and tells its version", async () => {
    expect(await sluice(["--version"])).toEqual({ code: 0, out: "1.2.3\n", err: "" });
    const { code, out } = await sluice(["--help"]);
    expect(code).toBe(0);
    for (const verb of ["run", "check", "show", "explain", "trace", "doctor"]) expect(out).toContain(`  ${verb} `);
  });

  it("finds a role that is not well", async () => {
    await role("pol1", { "/v1/health": async () => ({ status: "degraded", problems: ["the router is away"] }) });
    const { code, out } = await sluice(["doctor", "-o", "json"], { env: { PATH: "/nonexistent" } });
    expect(code).toBe(1);
    const { apiVersion, kind, items } = JSON.parse(out) as { apiVersion: string; kind: string; items: object[] };
    expect({ apiVersion, kind }).toEqual({ apiVersion: "sluice/v1", kind: "doctor" });
    const what = "role pol1: degraded; the router is away";
    expect(items).toContainEqual(expect.objectContaining({ id: "role.health", severity: "warning", what }));
    expect(items).toContainEqual(expect.objectContaining({ id: "version.node", severity: "ok" }));
  });
});

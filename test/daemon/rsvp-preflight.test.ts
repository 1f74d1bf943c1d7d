import { describe, expect, it } from "vitest";
import type { RouterConfig } from "../../src/config/router.js";
import { examineRsvp } from "../../src/daemon/rsvp-preflight.js";
import type { Finding } from "../../src/kernel/preflight/finding.js";
import { bitsPerSecond, octets, seconds } from "../../src/model/units.js";
import type { TransportProbe, TransportProbes } from "../../src/rsvp/endpoint/open-transport.js";
import { type Recording, RULESET, recorded, ruleset } from "../kernel/preflight/recorded.js";

const WORKS: TransportProbe = { works: true, evidence: "" };
const FORBIDDEN: TransportProbe = { works: false, evidence: "Operation not permitted" };
const NO_PACKAGE: TransportProbe = { works: false, evidence: "Cannot find module 'raw-socket'" };
const ALL: TransportProbes = { rawIpv4: WORKS, rawIpv6: WORKS, udp: WORKS };
const ADDRESSES = "ip -json address show";
const UP = ["BROADCAST", "UP", "LOWER_UP"];

const device = (ifname: string, addresses: readonly string[], flags = UP) => ({
  ifname,
  flags,
  addr_info: [{ local: "fe80::1", scope: "link" }, ...addresses.map((local) => ({ local, scope: "global" }))],
});
const HEALTHY = [device("core", ["10.2.1.1", "fd02::1"]), device("access", ["10.1.0.1"])];

interface Situation {
  readonly rsvp?: Partial<NonNullable<RouterConfig["rsvp"]>>;
  readonly probes?: Partial<TransportProbes>;
  readonly present?: readonly object[];
  readonly rules?: readonly object[];
  readonly recording?: Recording;
  readonly managed?: readonly { readonly name: string; readonly rate: number; readonly signalling: number }[];
}

const CORE = { name: "core", rate: 10e6, signalling: 1e6 };

function find(situation: Situation = {}): Promise<readonly Finding[]> {
  const { rsvp = {}, probes = {}, present = HEALTHY, rules = [], recording = {}, managed = [CORE] } = situation;
  const config = {
    rsvp: {
      transport: "auto",
      refresh: seconds(30),
      address: "10.1.0.1",
      interfaces: [{ name: "core", room: bitsPerSecond(6e6) }],
      keys: [],
      ceiling: bitsPerSecond(10e9),
      aggregates: [],
      ...rsvp,
    },
    kernel: { table: "sluice", interfaces: managed.map((each) => ({ ...each, overhead: octets(0) })) },
  } as unknown as RouterConfig;
  const tools = { [ADDRESSES]: JSON.stringify(present), [RULESET]: ruleset(...rules) };
  return examineRsvp(config, {
    machine: recorded({ tools, ...recording }),
    probe: () => Promise.resolve({ ...ALL, ...probes }),
  });
}

async function troubles(situation: Situation): Promise<readonly Finding[]> {
  return (await find(situation)).filter(({ severity }) => severity !== "ok");
}

describe("RSVP on a healthy router", () => {
  it("is well in every respect", async () => {
    expect((await find()).map(({ id, severity }) => `${id} ${severity}`)).toEqual([
      "rsvp.transport ok",
      "rsvp.interface ok",
      "rsvp.address ok",
      "rsvp.room ok",
      "rsvp.filtered ok",
    ]);
  });

  it("is no matter without `rsvp:`", async () => {
    expect(await examineRsvp({ kernel: { interfaces: [] } } as unknown as RouterConfig)).toEqual([]);
  });
});

describe("the transport", () => {
  const RAW_MISSING = { rawIpv4: NO_PACKAGE, rawIpv6: NO_PACKAGE };
  const status = (mask: string) => ({ files: { "/proc/self/status": `Name:\tnode\nCapEff:\t${mask}\n` } });

  it.each([
    ["auto without the package", {}, RAW_MISSING, "warning", "npm install raw-socket"],
    ["auto without the right", {}, { rawIpv4: FORBIDDEN, rawIpv6: FORBIDDEN }, "warning", /CAP_NET_RAW/],
    ["raw without the package", { transport: "raw" }, RAW_MISSING, "error", "npm install raw-socket"],
    ["auto without anything", {}, { ...RAW_MISSING, udp: FORBIDDEN }, "error", "npm install raw-socket"],
    ["UDP whose port is taken", { transport: "udp" }, { udp: FORBIDDEN }, "error", /ss -ulnp/],
    ["the family of the own address", {}, { rawIpv4: FORBIDDEN }, "error", /CAP_NET_RAW/],
    ["the other family", {}, { rawIpv6: FORBIDDEN }, "warning", /CAP_NET_RAW/],
    ["a family of a router on the way", { address: undefined }, { rawIpv6: FORBIDDEN }, "warning", /CAP_NET_RAW/],
  ] as const)("%s", async (_, rsvp, probes, severity, remedy) => {
    const [found, ...more] = await troubles({ rsvp, probes, recording: {} });
    expect(found).toMatchObject({
      id: "rsvp.transport",
      severity,
      remedy: typeof remedy === "string" ? remedy : expect.stringMatching(remedy),
    });
    expect(found?.detail).toMatch(/./);
    expect(more).toEqual([]);
  });

  it("cannot be tried by a user who may less than the router", async () => {
    const look = (mask: string) =>
      find({
        probes: { rawIpv4: FORBIDDEN, rawIpv6: FORBIDDEN },
        recording: { ...status(mask), tools: { [ADDRESSES]: JSON.stringify(HEALTHY), [RULESET]: ruleset() } },
      });
    expect((await look("0000000000000000"))[0]).toMatchObject({ severity: "unknown", remedy: "sudo sluice doctor" });
    expect((await look("000001ffffffffff"))[0]).toMatchObject({ severity: "warning" });
  });

  it("by UDP needs no raw sockets", async () => {
    expect(await troubles({ rsvp: { transport: "udp" }, probes: RAW_MISSING })).toEqual([]);
  });
});

describe("interfaces and the address", () => {
  it.each([
    ["is missing", HEALTHY.slice(1), "there is no interface core", /rsvp\.interfaces/],
    ["is down", [device("core", ["10.2.1.1"], ["BROADCAST"])], "core is down", /ip link set dev core up/],
    ["has no carrier", [device("core", ["10.2.1.1"], ["UP", "NO-CARRIER"])], "core has no carrier", /core/],
    ["has no address but a link-local one", [device("core", [])], "core has no address", /ip address add/],
  ])("an interface that %s", async (_, present, what, remedy) => {
    const access = device("access", ["10.1.0.1"]);
    expect(await troubles({ present: [...present, access] })).toMatchObject([
      { id: "rsvp.interface", severity: "warning", what, remedy: expect.stringMatching(remedy) },
    ]);
  });

  it("an address that is another's", async () => {
    expect(await troubles({ rsvp: { address: "10.1.0.2" } })).toMatchObject([
      { id: "rsvp.address", severity: "error", what: expect.stringContaining("10.1.0.2") },
    ]);
  });

  it("that cannot be looked at", async () => {
    const tools = { [RULESET]: ruleset() };
    expect(await troubles({ recording: { tools } })).toMatchObject([{ id: "rsvp.interface", severity: "unknown" }]);
  });
});

describe("the room", () => {
  it("is what the interface's rate leaves to it", async () => {
    const room = (megabits: number) => ({
      rsvp: { interfaces: [{ name: "core", room: bitsPerSecond(megabits * 1e6) }] },
    });
    expect(await troubles(room(9))).toEqual([]);
    expect(await troubles(room(9.5))).toMatchObject([
      {
        id: "rsvp.room",
        severity: "warning",
        what: "reservations may take 9.5 Mbit/s of core, which carries 10 Mbit/s, with 1 Mbit/s for signalling",
        remedy: "set the room of core in rsvp.interfaces to less than 9 Mbit/s",
      },
    ]);
  });

  it("is guaranteed only where there are queues of ours", async () => {
    expect(await troubles({ managed: [] })).toMatchObject([
      { id: "rsvp.managed", severity: "warning", remedy: "add core to kernel.interfaces, with its rate" },
    ]);
  });
});

describe("packet filters of others", () => {
  const place = { family: "inet", table: "filter" };
  const chain = (hook: string, policy = "drop", name = hook) => ({
    chain: { ...place, name, type: "filter", hook, prio: 0, policy },
  });
  const rule = (name: string, ...expr: readonly object[]) => ({ rule: { ...place, chain: name, handle: 7, expr } });
  const match = (left: object, right: unknown, op = "==") => ({ match: { op, left, right } });
  const PROTOCOL = { meta: { key: "l4proto" } };
  const FIELD = { payload: { protocol: "ip", field: "protocol" } };
  const ACCEPT = { accept: null };
  const DROP = { drop: null };
  const filtered = (...rules: readonly object[]) => troubles({ rules });

  it.each([
    ["nothing", []],
    ["ports", [rule("input", match({ payload: { protocol: "tcp", field: "dport" } }, 22), ACCEPT)]],
    ["what is known", [rule("input", match({ ct: { key: "state" } }, ["established"], "in"), ACCEPT)]],
    ["the loopback interface", [rule("input", match({ meta: { key: "iifname" } }, "lo"), ACCEPT)]],
    ["other protocols", [rule("input", match(PROTOCOL, { set: [6, 17, 1] }), ACCEPT)]],
  ])("that drop by policy and accept %s", async (_, rules) => {
    expect(await filtered(chain("input"), ...rules)).toMatchObject([
      {
        id: "rsvp.filtered",
        severity: "warning",
        what: "inet filter input drops what no rule accepts, and none accepts IP protocol 46",
        remedy: "nft insert rule inet filter input meta l4proto 46 accept",
      },
    ]);
  });

  it.each([
    ["the protocol by number", [rule("input", match(PROTOCOL, 46), ACCEPT)]],
    ["the protocol by name, in a chain of its own", [rule("services", match(FIELD, "rsvp"), ACCEPT)]],
    ["the protocol among others", [rule("input", match(PROTOCOL, { set: ["ospf", 46] }), ACCEPT)]],
    ["all but another protocol", [rule("input", match(PROTOCOL, "tcp", "!="), ACCEPT)]],
    ["an interface", [rule("input", match({ meta: { key: "iifname" } }, "core"), ACCEPT)]],
    ["a neighbour", [rule("input", match({ payload: { protocol: "ip", field: "saddr" } }, "10.2.1.2"), ACCEPT)]],
  ])("that drop by policy and accept %s are no fault", async (_, rules) => {
    expect(await filtered(chain("input"), ...rules)).toEqual([]);
  });

  it("a rule that drops it is named", async () => {
    const rules = [chain("output", "accept"), rule("output", match(PROTOCOL, "rsvp"), { counter: null }, DROP)];
    expect(await filtered(...rules)).toMatchObject([
      {
        severity: "warning",
        what: "a rule of inet filter output drops IP protocol 46",
        remedy: "nft delete rule inet filter output handle 7",
      },
    ]);
    const some = match({ payload: { protocol: "ip", field: "saddr" } }, "192.0.2.1");
    expect(await filtered(chain("output", "accept"), rule("output", some, match(PROTOCOL, 46), DROP))).toEqual([]);
  });

  it("what is forwarded matters only to reservations between hosts", async () => {
    expect(await filtered(chain("forward"))).toMatchObject([
      { severity: "note", what: expect.stringContaining("134") },
    ]);
  });

  it("are not looked at where RSVP goes by UDP, and cannot be without nft", async () => {
    expect(await troubles({ rules: [chain("input")], rsvp: { transport: "udp" } })).toEqual([]);
    const tools = { [ADDRESSES]: JSON.stringify(HEALTHY) };
    expect(await troubles({ recording: { tools } })).toMatchObject([{ id: "rsvp.filtered", severity: "unknown" }]);
  });

  it("our own table is none of them", async () => {
    const own = { chain: { family: "inet", table: "sluice", name: "c", hook: "input", prio: 0, policy: "drop" } };
    expect(await filtered(own)).toEqual([]);
  });
});

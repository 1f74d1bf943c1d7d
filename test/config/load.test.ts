import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig, PROBLEMS_MAX } from "../../src/config/load.js";
import { ConfigError } from "../../src/model/errors.js";
import { readAccounts } from "../../src/portal/accounts/accounts.js";

const CONFIGS = join(import.meta.dirname, "../../configs");
let directory = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-config-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

function failure(act: () => unknown): ConfigError {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was wrong");
}

/** The problems' text with the file's name taken away. */
function complaints(text: string, env: Record<string, string> = {}): string[] {
  const file = write("bad.yaml", text);
  const { message } = failure(() => loadConfig(file, undefined, { env }));
  return message.split("\n").map((line) => line.replace(`${file}:`, ""));
}

const ROUTER = `role: router
name: r1.a.example
pdp: { servers: ["10.1.0.6:3288"] }
kernel:
  interfaces:
    - { name: core, rate: 10 Mbit/s, signalling: 256 kbit/s }
`;

const PDP = `role: pdp
name: pol1.a.example
cops: { listen: "10.1.0.6:3288" }
domain: a.example
access: { router: r1.a.example, prefixes: [10.1.0.0/24] }
pools:
  - { name: voice, id: 1, rate: 170 kbit/s }
classes:
  - { name: voice, pool: voice, phb: EF }
rules:
  - { name: calls, from: "*@*", to: "*@*", class: voice, treatment: assured }
`;

const PROXY = `role: proxy
name: sip1.a.example
sip: { listen: ["10.1.0.5:5060"], domains: [a.example] }
pdp: { servers: ["10.1.0.6:3288"] }
`;

const CH = `role: clearinghouse
name: ch.example
osp: { listen: "10.4.0.7:5045" }
signing: { key: no.key, certificate: no.crt }
peers:
  - { name: pol1.a.example, addresses: [10.1.0.6], domains: [a.example] }
destinations:
  - { domain: a.example, signal: "10.1.0.5:5060" }
`;

describe("good files", () => {
  it("fills in what a short file leaves out", () => {
    const config = loadConfig(write("r.yaml", ROUTER), "router");
    expect(config).toMatchObject({
      role: "router",
      name: "r1.a.example",
      state: "/var/lib/sluice/router",
      control: "/run/sluice/router.sock",
      log: { level: "info" },
      pdp: { servers: [{ address: "10.1.0.6", port: 3288 }] },
      kernel: { table: "sluice", interfaces: [{ name: "core", rate: 10_000_000, signalling: 256_000, overhead: 0 }] },
      signalling: { phb: "CS3", servers: [] },
    });
  });

  it("turns words into the model's values", () => {
    const text = PDP.replace("phb: EF", "phb: EF, outOfProfile: { remark: AF11 }").replace(
      "domain: a.example",
      "domain: A.Example",
    );
    const config = loadConfig(write("p.yaml", text), "pdp");
    expect(config.classes[0]).toEqual({
      name: "voice",
      pool: "voice",
      phb: "EF",
      packetSize: 1500,
      outOfProfile: { action: "remark", dscp: 10 },
    });
    expect(config.domain).toBe("a.example");
    expect(config.clearinghouse).toBe("none");
    expect(config.access).toEqual({ router: "r1.a.example", prefixes: ["10.1.0.0/24"], linkOverhead: 14 });
    expect(config.cops).toMatchObject({ sipClientType: 0x5349, keepAlive: 30_000, maxMessage: 262_144 });
  });

  it("takes paths from the file's directory and variables from the environment", () => {
    const text = `${ROUTER}state: here/state\ncontrol: \${LAB}/run/r1.sock\n`;
    const config = loadConfig(write("v.yaml", text), "router", { env: { LAB: "/tmp/lab" } });
    expect(config.state).toBe(join(directory, "here/state"));
    expect(config.control).toBe("/tmp/lab/run/r1.sock");
  });

  it("reads the clearinghouse that a policy server asks", () => {
    const keys = "url: http://10.4.0.7:5045/osp, certificates: [ch.crt], customerId: 1000";
    const file = write("c.yaml", `${PDP}clearinghouse: { ${keys} }\n`);
    expect(loadConfig(file, "pdp", { needFiles: false }).clearinghouse).toEqual({
      url: "http://10.4.0.7:5045/osp",
      timeout: 700,
      retries: 1,
      certificates: [join(directory, "ch.crt")],
      customerId: "1000",
    });
  });

  it("substitutes in paths only", () => {
    const text = ROUTER.replace("name: r1.a.example", "name: $" + "{LAB}");
    expect(complaints(text, { LAB: "lab.example" })).toEqual([expect.stringContaining("is not a domain name")]);
  });

  it.each(["pol1", "pol2", "sip1", "sip2", "r1", "r2", "ch"])("reads the lab's %s.yaml", (name) => {
    const lab = join(directory, "lab");
    mkdirSync(lab, { recursive: true });
    for (const file of ["ch.key", "ch.crt"]) writeFileSync(join(lab, file), "");
    const config = loadConfig(join(CONFIGS, "lab", `${name}.yaml`), undefined, { env: { SLUICE_LAB: lab } });
    expect(config.state).toBe(join(lab, name));
    expect(config.control).toBe(join(lab, "run", `${name}.sock`));
  });

  it.each(readdirSync(join(CONFIGS, "game")).filter((name) => !name.startsWith("accounts")))(
    "reads the lab of games' %s",
    (name) => {
      const lab = join(directory, "game-lab");
      mkdirSync(join(lab, "tls"), { recursive: true });
      const made = ["sip1", "sip2", "web1", "web2"].flatMap((role) => [`tls/${role}.key`, `tls/${role}.crt`]);
      for (const file of [...made, "tls/secret1", "tls/secret2", "ch.key", "ch.crt"]) {
        writeFileSync(join(lab, file), "");
      }
      const config = loadConfig(join(CONFIGS, "game", name), undefined, { env: { SLUICE_LAB: lab } });
      expect(`${config.state}.yaml`).toBe(join(lab, name));
    },
  );

  it.each(["accounts1.yaml", "accounts2.yaml"])("reads the users of the lab's portals: %s", (name) => {
    const operators = [...readAccounts(join(CONFIGS, "game", name)).values()].map(({ operator }) => operator);
    expect(operators.sort()).toEqual([false, true]);
  });

  it("reads every example for deployment", () => {
    const files = readdirSync(CONFIGS).filter((name) => name.endsWith(".yaml"));
    expect(files.sort()).toEqual(["clearinghouse.yaml", "pdp.yaml", "portal.yaml", "proxy.yaml", "router.yaml"]);
    const roles = files.map((file) => loadConfig(join(CONFIGS, file), undefined, { needFiles: false, env: {} }).role);
    expect(roles).toEqual(["clearinghouse", "pdp", "portal", "proxy", "router"]);
  });
});

/** Turns `7:{token}:` into line 7 and the column where that token begins in it. */
function withColumn(expected: unknown, text: string): unknown {
  if (typeof expected !== "string") return expected;
  return expected.replace(/^(\d+):\{(.*?)\}:/, (_all, line: string, token: string) => {
    return `${line}:${(text.split("\n")[Number(line) - 1] ?? "").indexOf(token) + 1}:`;
  });
}

const BAD: readonly (readonly [string, string, readonly unknown[]])[] = [
  [
    "a misspelt key",
    ROUTER.replace("signalling: 256", "signaling: 256"),
    [
      '6:7: kernel.interfaces[0].signalling is missing; add "signalling: 170 kbit/s". Guaranteed to signalling on this interface, counted at layer 2.',
      '6:38: unknown key "signaling" in kernel.interfaces[0]; did you mean "signalling"?',
    ],
  ],
  [
    "a key from nowhere",
    `${ROUTER}frobnicate: 1\n`,
    ['7:1: unknown key "frobnicate"; known are role, name, state, control, log, pdp, rsvp, stamp, kernel, signalling'],
  ],
  [
    "a rate without a unit",
    ROUTER.replace("10 Mbit/s", "10"),
    ['6:27: kernel.interfaces[0].rate: "10" has no unit; write a rate such as "170 kbit/s"'],
  ],
  [
    "a unit of something else",
    PDP.replace("170 kbit/s", "170 ms"),
    ['7:{170 ms}: pools[0].rate: "ms" is not a unit of a rate; use one of bit/s, kbit/s, Mbit/s, Gbit/s'],
  ],
  [
    "octets for bits",
    PDP.replace("170 kbit/s", "170 kB/s"),
    ['7:{170 kB}: pools[0].rate: "kB/s" is not a unit of a rate; use one of bit/s, kbit/s, Mbit/s, Gbit/s'],
  ],
  [
    "a rate out of range",
    PDP.replace("170 kbit/s", "0 kbit/s"),
    ['7:{0 kbit}: pools[0].rate: "0 kbit/s" is out of range; allowed is 1 kbit/s to 1000 Gbit/s'],
  ],
  [
    "a list for a word",
    ROUTER.replace("10 Mbit/s", "[1, 2]"),
    ['6:27: kernel.interfaces[0].rate: a list does not fit here; write a rate, such as "170 kbit/s"'],
  ],
  [
    "an empty value",
    ROUTER.replace("name: r1.a.example", "name:"),
    ['2:1: name: there is no value; write a domain name, such as "a.example"'],
  ],
  [
    "text for a number",
    PDP.replace("id: 1", "id: one"),
    [
      "7:{one}: pools[0].id must be a whole number, 1 to 32767; meaning: Number of the pool: becomes the number of its HTB class; at most 494 with DSMARK.",
    ],
  ],
  [
    "a number too large",
    PDP.replace("id: 1", "id: 99999"),
    ["7:{99999}: pools[0].id must be at most 32767; write a whole number, 1 to 32767"],
  ],
  [
    "a word that is none of the choice",
    PDP.replace("assured", "best"),
    [
      "11:{best}: rules[0].treatment must be one of assured, bestEffort, refuse; meaning: `assured`: admitted and guaranteed. `bestEffort`: let through unmarked. `refuse`.",
    ],
  ],
  [
    "missing keys",
    'role: proxy\nname: sip1.a.example\nsip: { listen: ["10.1.0.5:5060"] }\n',
    [
      '1:1: pdp is missing; add "pdp:". The policy server that is asked.',
      '3:6: sip.domains is missing; add "domains:". Domains whose users this proxy serves.',
    ],
  ],
  [
    "a host name for an address",
    PROXY.replace("10.1.0.6:3288", "pol1.a.example:3288"),
    [
      '4:18: pdp.servers[0]: "pol1.a.example" in "pol1.a.example:3288" is not an IP address; write address and port such as "10.1.0.6:3288" or "[fd01::6]:3288"; names are not resolved',
    ],
  ],
  [
    "a port out of range",
    PROXY.replace("10.1.0.6:3288", "10.1.0.6:70000"),
    ['4:18: pdp.servers[0]: port 70000 in "10.1.0.6:70000" is out of range; use 1 to 65535'],
  ],
  [
    "an empty list",
    PROXY.replace("[a.example]", "[]"),
    ["3:{[] }: sip.domains must have at least 1 item; meaning: Domains whose users this proxy serves."],
  ],
  [
    "a bad user name",
    PROXY.replace("domains: [a.example]", 'domains: [a.example], users: { "al ice": "sip:alice@10.1.0.10:5060" }'),
    ['3:{"al ice"}: "al ice" is not a user name; write the part of the SIP address before the "@", such as "alice"'],
  ],
  [
    "a bad SIP URI",
    PROXY.replace("domains: [a.example]", 'domains: [a.example], users: { alice: "alice@10.1.0.10" }'),
    [
      '3:{"alice@}: sip.users.alice: "alice@10.1.0.10" is not a SIP URI without parameters; write one such as "sip:alice@10.1.0.10:5060"',
    ],
  ],
  [
    "a prefix with host bits",
    PDP.replace("10.1.0.0/24", "10.1.0.1/24"),
    [
      '5:{10.1.0.1/24}: access.prefixes[0]: "10.1.0.1/24" has bits set after its length, or too long a length; write one such as "10.1.0.0/24" or "fd01::/64"',
    ],
  ],
  [
    "a per-hop behaviour that is none",
    PDP.replace("phb: EF", "phb: GOLD"),
    [expect.stringMatching(/^9:38: classes\[0\]\.phb: "GOLD" is not a per-hop behaviour; use one of BE, CS1/)],
  ],
  [
    "trouble inside one alternative",
    PDP.replace("phb: EF", "phb: EF, outOfProfile: { remarc: BE }"),
    [
      '9:56: classes[0].outOfProfile.remark is missing; add "remark: EF". Behaviour for packets above the rate.',
      '9:58: unknown key "remarc" in classes[0].outOfProfile; did you mean "remark"?',
    ],
  ],
  [
    "none of the alternatives",
    PDP.replace("phb: EF", "phb: EF, outOfProfile: shape"),
    [
      "9:56: classes[0].outOfProfile must be drop or a group of keys; meaning: What becomes of packets above a flow's rate: `drop`, or `{remark: BE}`.",
    ],
  ],
  [
    "a variable that is not set",
    `${ROUTER}state: \${NOT_SET}/r1\n`,
    ["7:8: state: the environment variable NOT_SET is not set; set it, or write the path out"],
  ],
  [
    "a class that draws from nowhere",
    PDP.replace("pool: voice", "pool: vioce"),
    ['9:26: classes[0].pool: there is no pool "vioce"; did you mean "voice"?'],
  ],
  [
    "a rule without its class",
    PDP.replace("class: voice, ", ""),
    [
      '11:{assured}: rules[0].treatment: rule "calls" is assured but names no class; add "class:" or "sessionClasses:", or make the treatment bestEffort',
    ],
  ],
  [
    "a rule larger than its pool",
    PDP.replace("class: voice,", "class: voice, maxRate: 1 Mbit/s,"),
    [
      '11:{1 Mbit/s}: rules[0].maxRate: maxRate is more than pool "voice" has; lower it, or give the pool a higher rate',
    ],
  ],
  [
    "two pools with one id",
    PDP.replace("classes:", "  - { name: video, id: 1, rate: 1 Mbit/s }\nclasses:"),
    ['8:{1, rate}: pools[1].id: pool id "1" is already taken; choose another'],
  ],
  [
    "a keep-alive that COPS cannot carry",
    PDP.replace('3288" }', '3288", keepAlive: 1500 ms }'),
    ["3:{1500 ms}: cops.keepAlive: this keep-alive time cannot be sent; COPS carries whole seconds, 1 s to 65535 s"],
  ],
  [
    "signalling that takes the whole link",
    ROUTER.replace("256 kbit/s", "10 Mbit/s"),
    ["6:50: kernel.interfaces[0].signalling: signalling takes the whole link; make it less than the interface's rate"],
  ],
  ["an unknown role", "role: ruoter\nname: x\n", ['1:7: role: there is no role "ruoter"; did you mean "router"?']],
  ["no role", "name: x\n", ['1:1: role is missing; add "role:" with one of pdp, proxy, router, clearinghouse, portal']],
  ["nothing", "", ['1:1: the file is empty; begin with "role:" and "name:"']],
  ["a list", "- role: pdp\n", ['1:1: the file must be a group of keys; begin with "role:" and "name:"']],
  ["a key twice", `${ROUTER}name: r2.a.example\n`, ['7:1: key "name" is here twice; take one away']],
  [
    "an alias",
    ROUTER.replace("name: r1.a.example", "name: &n r1.a.example\nstate: *n"),
    ['2:10: anchor "&n" is not allowed; take it away', '3:8: alias "*n" is not allowed; write the value out'],
  ],
  [
    "a bracket left open",
    PROXY.replace("domains: [a.example]", "domains: [a.example"),
    [
      expect.stringMatching(/^3:\d+: .* end with a \]; correct the YAML$/),
      expect.stringMatching(/^3:\d+: .* end with a \}; correct the YAML$/),
    ],
  ],
  ["two documents", `${ROUTER}---\nrole: pdp\n`, [expect.stringMatching(/^7:\d+: .*; correct the YAML$/)]],
];

describe("bad files", () => {
  it.each(BAD)("tells where and why: %s", (_what, text, expected) => {
    expect(complaints(text)).toEqual(expected.map((line) => withColumn(line, text)));
  });

  it("tells which files are missing", () => {
    expect(complaints(CH)).toEqual([
      `4:17: signing.key: there is no file ${join(directory, "no.key")}; make it, or correct the path`,
      `4:38: signing.certificate: there is no file ${join(directory, "no.crt")}; make it, or correct the path`,
    ]);
  });

  it("refuses a file for another role", () => {
    const file = write("other.yaml", ROUTER);
    expect(failure(() => loadConfig(file, "pdp")).message).toBe(
      `${file}:1:7: role: this file is for a router, not for a pdp; run it as "router", or name another file`,
    );
  });

  it("tells all problems at once, but not more than can be read", () => {
    const pools = Array.from({ length: 40 }, (_, index) => `  - { name: p${index}, id: ${index + 1}, rate: 1 }`);
    const file = write("many.yaml", PDP.replace("classes:", `${pools.join("\n")}\nclasses:`));
    const { problems } = failure(() => loadConfig(file));
    expect(problems).toHaveLength(PROBLEMS_MAX);
    expect(problems[19]?.place.line).toBe(27);
  });

  it("has one line for a file that is not there, a directory, and octets that are no text", () => {
    const missing = join(directory, "missing.yaml");
    expect(failure(() => loadConfig(missing)).message).toBe(
      `${missing}:1:1: there is no such file; check the path given with -c`,
    );
    expect(failure(() => loadConfig(directory)).message).toContain("this is a directory");
    const binary = join(directory, "binary.yaml");
    writeFileSync(binary, Buffer.from([0x72, 0x3a, 0x20, 0xff, 0xfe]));
    expect(failure(() => loadConfig(binary)).message).toContain("not UTF-8");
  });

  it("has one line for a file that may not be read", () => {
    const file = write("closed.yaml", ROUTER);
    chmodSync(file, 0);
    const isRoot = process.geteuid?.() === 0;
    // Root may read everything: look as nobody.
    if (isRoot) process.seteuid?.(65534);
    try {
      expect(failure(() => loadConfig(file)).message).toContain("may not be read");
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it("is not slowed down or brought down by depth, bombs or many keys", () => {
    for (const text of [
      `a: ${"[".repeat(100_000)}`,
      `role: ${"{a: ".repeat(5000)}`,
      `a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n`,
      Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join("\n"),
    ]) {
      const file = write("hostile.yaml", text);
      expect(failure(() => loadConfig(file)).problems.length).toBeGreaterThan(0);
    }
  });
});

import { describe, expect, it } from "vitest";
import { defaultSlot } from "../../../src/kernel/dsmark/slots.js";
import { preflight } from "../../../src/kernel/preflight/preflight.js";
import { GENERAL_SUBJECT } from "../../../src/kernel/preflight/subject.js";
import type { CommandResult } from "../../../src/kernel/probe/outcome.js";
import type { ScratchCommand } from "../../../src/kernel/probe/scratch.js";
import { signatureOf } from "../../../src/kernel/tc/tree.js";
import { examine, failed, find, LINKS, QDISCS, RULESET, recorded, ruleset } from "./recorded.js";

const WAN = '[{"ifname":"wan0","flags":["UP"],"mtu":1500,"operstate":"UP"}]';
const NO_RIGHT =
  "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted\n";

describe("versions", () => {
  it.each([
    ["version.node", { node: "20.18.3" }, "error", "Node.js 20.18.3 is older than 20.19"],
    ["version.node", { node: "22.1.0" }, "ok", "Node.js 22.1.0"],
    [
      "version.kernel",
      { files: { "/proc/sys/kernel/osrelease": "5.10.0-28-amd64\n" } },
      "error",
      "Linux 5.10.0-28-amd64 is older",
    ],
    ["version.kernel", { files: { "/proc/sys/kernel/osrelease": "6.18.44-fc-v509\n" } }, "ok", "Linux 6.18.44-fc-v509"],
    ["version.kernel", {}, "unknown", "the version of the kernel"],
    ["version.nft", { tools: { "nft --version": "nftables v1.0.6 (Lester Gooch #5)\n" } }, "ok", "nft 1.0.6"],
    [
      "version.nft",
      { tools: { "nft --version": "nftables v0.9.8 (E.D.S.)\n" } },
      "error",
      "nft 0.9.8 is older than 1.0.6",
    ],
    ["version.nft", {}, "error", "nft is not installed"],
    ["version.tc", { tools: { "tc -V": "tc utility, iproute2-6.1.0, libbpf 1.1.2\n" } }, "ok", "tc 6.1.0"],
    ["version.tc", { tools: { "tc -V": "tc utility, iproute2-ss200127\n" } }, "unknown", "the version of tc"],
    [
      "version.ipset",
      { subject: { backend: "iptables" as const }, tools: { "ipset --version": "ipset v7.17, protocol version: 7\n" } },
      "ok",
      "ipset 7.17",
    ],
    ["version.iptables", { subject: { backend: "iptables" as const } }, "error", "iptables is not installed"],
  ])("%s of %j: %s", async (id, examination, severity, what) => {
    expect(await find(id, examination)).toEqual([
      expect.objectContaining({ severity, what: expect.stringContaining(what) }),
    ]);
  });

  it("are not asked of tools that are not needed", async () => {
    expect(await find("version.iptables", {})).toEqual([]);
  });
});

describe("without the right to look", () => {
  const blind = {
    files: { "/proc/self/status": "Name:\tnode\nCapEff:\t0000000000000000\nSeccomp:\t0\n" },
    tools: { [RULESET]: failed(NO_RIGHT) },
    probe: (): CommandResult => ({ exitCode: 1, stderr: "unshare: unshare failed: Operation not permitted" }),
    ebpf: async () => ({ outcome: "unknown", evidence: "not allowed" }) as const,
  };

  it("nothing is said to be missing", async () => {
    const findings = await examine(blind);
    expect(findings.filter(({ id, severity }) => id.startsWith("feature.") && severity !== "unknown")).toEqual([]);
    for (const id of [
      "capability.netAdmin",
      "backend.choice",
      "name.table",
      "neighbour.mark",
      "neighbour.legacy",
      "offload.flowtable",
    ]) {
      expect(findings).toContainEqual(
        expect.objectContaining({ id, severity: "unknown", why: expect.stringMatching(/./) }),
      );
    }
  });

  it("a capability of another kind is not enough", async () => {
    const files = { "/proc/self/status": "CapEff:\t0000000000002000\n" };
    expect(await find("capability.netAdmin", { files })).toMatchObject([{ severity: "unknown" }]);
    const enough = { "/proc/self/status": "CapEff:\t0000000000001000\n" };
    expect(await find("capability.netAdmin", { files: enough })).toMatchObject([{ severity: "ok" }]);
  });
});

describe("features", () => {
  const unknownKind: CommandResult = { exitCode: 2, stderr: "Error: Specified qdisc kind is unknown.\n" };
  const without =
    (...words: readonly string[]) =>
    ({ tool, args, input = "" }: ScratchCommand): CommandResult => {
      const command = [tool, ...args, input].join(" ");
      return words.some((word) => command.includes(word)) ? unknownKind : { exitCode: 0, stderr: "" };
    };

  it("that the back end needs are errors when they are missing", async () => {
    const found = await find("feature.tc.htb", { probe: without(" htb ") });
    expect(found).toEqual([
      expect.objectContaining({ severity: "error", what: "HTB: missing in kernel", detail: unknownKind.stderr.trim() }),
    ]);
    expect(found[0]?.remedy).toContain("CONFIG_NET_SCH_HTB");
  });

  it("that it does not need are no fault", async () => {
    const [dsmark] = await find("feature.tc.dsmark", { probe: without("dsmark") });
    expect(dsmark).toMatchObject({ severity: "ok", what: "DSMARK: not there, and not needed" });
    const [needed] = await find("feature.tc.dsmark", { probe: without("dsmark"), subject: { backend: "dsmark" } });
    expect(needed).toMatchObject({ severity: "error", remedy: expect.stringContaining("kernel.backend") });
  });

  it("that only make it better are warnings", async () => {
    expect(await find("feature.nft.arp", { probe: without("table arp") })).toMatchObject([{ severity: "warning" }]);
  });

  it.each([
    [["cake"], "ok", "fq_codel"],
    [["fq_codel"], "ok", "cake"],
    [["fq_codel", "cake"], "note", "bfifo"],
  ] as const)("for best effort, without %j: %s", async (words, severity, what) => {
    const found = await find("feature.tc.fairQueue", { probe: without(...words) });
    expect(found).toEqual([expect.objectContaining({ severity, what: expect.stringContaining(what) })]);
  });

  it.each([
    [[], "ok", "back end nftables", "first choice"],
    [["table inet"], "ok", "back end iptables", "nftables lacks nf_tables"],
    [["table inet", "ipset"], "error", "no back end works", ""],
  ] as const)("choose the back end, without %j: %s", async (words, severity, what, detail) => {
    const found = await find("backend.choice", { probe: without(...words) });
    expect(found).toEqual([
      expect.objectContaining({
        severity,
        what: expect.stringContaining(what),
        detail: expect.stringContaining(detail),
      }),
    ]);
  });

  it.each([
    [[], "ok", "back end dsmark"],
    [["dsmark"], "error", "dsmark lacks DSMARK"],
    [["tcindex"], "error", "dsmark lacks the classifier tcindex"],
  ] as const)("make the back end dsmark possible or not, without %j: %s", async (words, severity, what) => {
    const found = await find("backend.choice", { probe: without(...words), subject: { backend: "dsmark" } });
    expect(found).toEqual([expect.objectContaining({ severity, what: expect.stringContaining(what) })]);
  });

  it.each([
    ["nftables", "ok"],
    ["dsmark", "ok"],
    ["iptables", "warning"],
    ["ebpf", "warning"],
  ] as const)("tell whether reservations can pass with %s: %s", async (backend, severity) => {
    expect(await find("backend.aggregates", { subject: { backend, rsvp: true } })).toMatchObject([{ severity }]);
    expect(await find("backend.aggregates", { subject: { backend } })).toEqual([]);
  });

  it("tell when sessions cannot be programmed over netlink", async () => {
    const netlink = async () => ({ outcome: "missing in tool", evidence: "no such add-on" }) as const;
    const found = await find("backend.programming", { netlink });
    expect(found).toMatchObject([{ severity: "note", detail: "no such add-on", remedy: "npm rebuild netlink" }]);
  });
});

describe("the root queue", () => {
  const signature = signatureOf("sluice");
  const slot = `0x${defaultSlot("sluice").toString(16)}`;
  const edge = `qdisc dsmark 2: dev wan0 root refcnt 3 indices 0x0080 default_index ${slot} set_tc_index \n`;
  const inside = (r2q: number): string => `qdisc htb 1: dev wan0 parent 2:1 r2q ${r2q} default 0xffff\n`;

  it.each([
    ["a DSMARK of ours", `${edge}${inside(signature)}`, "ok"],
    ["a DSMARK of ours, still empty", edge, "ok"],
    ["our DSMARK with another's tree", `${edge}${inside(7)}`, "error"],
    ["another's DSMARK", "qdisc dsmark 2: dev wan0 root refcnt 3 indices 0x0040 set_tc_index \n", "error"],
    [
      "our tree beside another's DSMARK",
      `qdisc dsmark 1: dev lan0 root refcnt 2 indices 0x0040 \nqdisc htb 1: dev wan0 root refcnt 2 r2q ${signature} default 0xffff\n`,
      "ok",
    ],
    ["something that tc never prints", "qdisc\n", "unknown"],
  ] as const)("is %s", async (_, text, severity) => {
    // What tc prints as JSON of a dsmark is none.
    const tools = { [QDISCS]: '[{"kind":"dsmark","options":{indices 0x0080 }}]', "tc qdisc show": text };
    expect(await find("name.rootQueue", { tools })).toMatchObject([{ severity }]);
  });
});

describe("offloads", () => {
  const flowtable = (dev: readonly string[]) => [
    {
      chain: {
        family: "inet",
        table: "fw",
        name: "fwd",
        handle: 1,
        type: "filter",
        hook: "forward",
        prio: 0,
        policy: "accept",
      },
    },
    {
      rule: { family: "inet", table: "fw", chain: "fwd", handle: 7, expr: [{ flow: { op: "add", flowtable: "@f" } }] },
    },
    { flowtable: { family: "inet", name: "f", table: "fw", handle: 4, hook: "ingress", prio: 0, dev } },
  ];

  it("a flowtable of a managed interface is an error, and goes after the rules that hold it", async () => {
    const tools = {
      [RULESET]: ruleset(...flowtable(["wan0", "lan0"])),
      "nft list flowtable inet fw f": "table inet fw {\n\tflowtable f {\n\t\tflags offload;\n\t}\n}\n",
    };
    expect(await find("offload.flowtable", { tools })).toEqual([
      {
        id: "offload.flowtable",
        severity: "error",
        what: "flowtable f of table inet fw offloads flows of wan0, lan0",
        why: expect.stringContaining("network card"),
        remedy: "nft delete rule inet fw fwd handle 7 && nft delete flowtable inet fw f",
        detail: "",
      },
    ]);
  });

  it("a flowtable of other interfaces is none of ours", async () => {
    const tools = { [RULESET]: ruleset(...flowtable(["dmz0"])) };
    expect(await find("offload.flowtable", { tools })).toMatchObject([{ severity: "ok" }]);
  });

  it("FLOWOFFLOAD of iptables is found", async () => {
    const tools = {
      [RULESET]: ruleset({
        chain: { family: "ip", table: "filter", name: "FORWARD", type: "filter", hook: "forward", prio: 0 },
      }),
      "iptables-nft-save":
        "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate ESTABLISHED -j FLOWOFFLOAD --hw\nCOMMIT\n",
    };
    expect(await find("offload.iptables", { tools })).toMatchObject([
      {
        severity: "error",
        remedy: "iptables-nft -t filter -D FORWARD -m conntrack --ctstate ESTABLISHED -j FLOWOFFLOAD --hw",
      },
    ]);
  });

  it("XDP and hardware are found on managed interfaces", async () => {
    const tools = {
      [LINKS]: '[{"ifname":"wan0","mtu":1500,"operstate":"UP","xdp":{"mode":1,"prog":{"id":5}}}]',
      "ethtool -k wan0": "Features for wan0:\nlarge-receive-offload: on\nhw-tc-offload: on\n",
    };
    expect(await find("offload.xdp", { tools })).toMatchObject([
      { severity: "warning", remedy: "ip link set dev wan0 xdp off" },
    ]);
    expect(await find("offload.hardware", { tools })).toMatchObject([{ remedy: "ethtool -K wan0 hw-tc-offload off" }]);
    expect(await find("offload.lro", { tools })).toMatchObject([{ remedy: "ethtool -K wan0 lro off" }]);
  });

  it("cannot be seen without ethtool", async () => {
    const found = await find("offload.features", { tools: { [LINKS]: WAN } });
    expect(found).toMatchObject([{ severity: "unknown", remedy: "apt-get install ethtool" }]);
  });
});

describe("links", () => {
  it("that are not there yet", async () => {
    const found = await find("link.present", { tools: { [LINKS]: "[]" } });
    expect(found).toMatchObject([{ severity: "warning", what: "there is no interface wan0" }]);
  });

  const hardware = { directories: { "/sys/class/net/wan0/device": ["uevent"] } };
  it.each([
    ["slower than configured", "10\n", hardware, "warning"],
    ["as fast as configured", "1000\n", hardware, "ok"],
    ["without a carrier", "-1\n", hardware, "ok"],
    ["without a carrier, on an older kernel", "4294967295\n", hardware, "ok"],
    ["that make up their speed", "10\n", {}, "ok"],
  ])("%s", async (_, speed, extra, severity) => {
    const found = await find("link.speed", { files: { "/sys/class/net/wan0/speed": speed }, ...extra });
    expect(found).toMatchObject([{ severity }]);
  });

  it.each([
    ["000003e8 00000040 000f4240 3b9aca00\n", "ok", "fine enough"],
    ["000003e8 00000040 000f4240 000000fa\n", "warning", "250 times a second"],
    ["", "unknown", "resolution"],
  ])("and timers, %j: %s", async (text, severity, what) => {
    const found = await find("htb.timer", { files: { "/proc/net/psched": text } });
    expect(found).toEqual([expect.objectContaining({ severity, what: expect.stringContaining(what) })]);
  });
});

describe("HTB", () => {
  const turn = (quantum: number) => ({
    tools: {
      [LINKS]: WAN,
      "tc -d class show dev wan0": `class htb 1:11 parent 1:1 prio 0 quantum ${quantum} rate 1Mbit\n`,
    },
  });
  it.each([
    [1514, "ok"],
    [1500, "warning"],
    [200_001, "warning"],
  ])("with a quantum of %d", async (quantum, severity) => {
    expect(await find("htb.quantum", turn(quantum))).toMatchObject([{ severity }]);
  });
});

describe("limits", () => {
  const connections = (count: string) => ({
    files: {
      "/proc/sys/net/netfilter/nf_conntrack_count": count,
      "/proc/sys/net/netfilter/nf_conntrack_max": "65536\n",
    },
  });
  it.each([
    ["100\n", "ok", ""],
    ["60000\n", "warning", "sysctl -w net.netfilter.nf_conntrack_max=131072"],
    ["65536\n", "error", "sysctl -w net.netfilter.nf_conntrack_max=131072"],
  ])("connections: %j", async (count, severity, remedy) => {
    expect(await find("limit.connections", connections(count))).toMatchObject([{ severity, remedy }]);
  });

  it.each([
    ["4194304\n", "ok", ""],
    ["212992\n", "note", "sysctl -w net.core.rmem_max=4194304"],
    ["8192\n", "warning", "sysctl -w net.core.rmem_max=4194304"],
  ])("receive buffers: %j", async (value, severity, remedy) => {
    const files = { "/proc/sys/net/core/rmem_max": value };
    expect(await find("limit.rmem_max", { files })).toMatchObject([{ severity, remedy }]);
  });

  it("memory", async () => {
    const files = { "/proc/meminfo": "MemTotal:  1000000 kB\nMemAvailable:   204800 kB\n" };
    expect(await find("limit.memory", { files })).toMatchObject([
      {
        severity: "warning",
        what: "65536 flows need 169 MiB, and 200 MiB are free",
        remedy: expect.stringContaining("38836"),
      },
    ]);
    expect(await find("limit.memory", { files, subject: { maxFlows: 1000 } })).toMatchObject([{ severity: "ok" }]);
  });

  const timedatectl = "timedatectl show --property=NTPSynchronized --value";
  it.each([
    [{ [timedatectl]: "yes\n" }, "ok"],
    [{ [timedatectl]: "no\n" }, "warning"],
    [
      {
        [timedatectl]: failed("Failed to connect to bus"),
        "chronyc -c tracking": "A,B,3,1,0,0,0,0,0,0,0,0,64.0,Normal\n",
      },
      "ok",
    ],
    [{ "chronyc -c tracking": "00000000,,0,0.0,0,0,0,0,0,0,1,1,0.0,Not synchronised\n" }, "warning"],
    [{}, "note"],
  ])("the clock: %j: %s", async (tools, severity) => {
    expect(await find("clock.synchronised", { tools })).toMatchObject([{ severity }]);
  });
});

describe("servers and services", () => {
  const servers = [
    { host: "192.0.2.6", port: 3288 },
    { host: "192.0.2.7", port: 3288 },
  ];
  it.each([
    [["192.0.2.6:3288"], ["ok", "note"]],
    [[], ["warning", "warning"]],
  ])("policy servers, of which %j answer", async (open, severities) => {
    const found = await find("server.reachable", { subject: { servers }, open });
    expect(found.map(({ severity }) => severity)).toEqual(severities);
  });

  it.each([
    ["enabled, with a file that flushes all", ["nftables.service"], "#!/usr/sbin/nft -f\n\nflush ruleset\n", "note"],
    [
      "enabled, with a file that flushes its own",
      ["nftables.service"],
      "# no flush ruleset\nflush table inet filter\n",
      "ok",
    ],
    ["disabled", [], "flush ruleset\n", "ok"],
  ])("nftables.service %s", async (_, names, text, severity) => {
    const directories = { "/etc/systemd/system/sysinit.target.wants": names };
    expect(await find("neighbour.flush", { directories, files: { "/etc/nftables.conf": text } })).toMatchObject([
      { severity },
    ]);
  });

  it("firewalls by their chains", async () => {
    const tools = {
      [RULESET]: ruleset(
        { chain: { family: "inet", table: "firewalld", name: "x", handle: 1 } },
        { chain: { family: "ip", table: "nat", name: "KUBE-SERVICES", handle: 1 } },
      ),
    };
    expect(await find("neighbour.firewall", { tools })).toMatchObject([
      { severity: "ok", what: "beside us: firewalld, kube-proxy", detail: expect.stringContaining("0x4000") },
    ]);
  });
});

describe("rules of others", () => {
  const forward = (family: string, prio: number) => ({
    chain: {
      family,
      table: "mangle",
      name: "FORWARD",
      handle: 1,
      type: "filter",
      hook: "forward",
      prio,
      policy: "accept",
    },
  });
  const xt = (handle: number, name: string) => ({
    rule: { family: "ip", table: "mangle", chain: "FORWARD", handle, expr: [{ xt: { type: "target", name } }] },
  });

  it("made by iptables-nft are told by iptables where it is installed, else as far as nft names them", async () => {
    const listing = { [RULESET]: ruleset(forward("ip", -150), xt(2, "MARK")) };
    const save = "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j MARK --set-xmark 0x1/0x3\nCOMMIT\n";
    expect(await find("neighbour.mark", { tools: listing })).toMatchObject([
      { severity: "warning", remedy: "nft delete rule ip mangle FORWARD handle 2" },
    ]);
    expect(await find("neighbour.mark", { tools: { ...listing, "iptables-nft-save": save } })).toMatchObject([
      { severity: "ok" },
    ]);
  });

  it("of our own back ends are not theirs", async () => {
    const save =
      "*mangle\n:FORWARD ACCEPT [0:0]\n:sluice - [0:0]\n:sluice-r46 - [0:0]\n-A FORWARD -j sluice\n" +
      "-A sluice-r46 -j DSCP --set-dscp 0x2e\n-A sluice -j MARK --set-xmark 0x0/0xffffff00\nCOMMIT\n";
    const chains = ["sluice", "sluice-r46"].map((name) => ({
      chain: { family: "ip", table: "mangle", name, handle: 2 },
    }));
    const own = {
      chain: { family: "inet", table: "sluice", name: "forward", type: "filter", hook: "forward", prio: -150 },
    };
    const marking = [{ mangle: { key: { meta: { key: "mark" } }, value: 1 } }];
    const rule = { rule: { family: "inet", table: "sluice", chain: "forward", handle: 3, expr: marking } };
    const tools = { [RULESET]: ruleset(forward("ip", -150), ...chains, own, rule), "iptables-nft-save": save };
    expect(await find("neighbour.dscp", { tools })).toMatchObject([{ severity: "ok" }]);
    expect(await find("neighbour.mark", { tools })).toMatchObject([{ severity: "ok" }]);
  });

  it("by the thousand do not make a page of thousands", async () => {
    const rules = Array.from({ length: 3000 }, (_, index) => xt(index + 2, "DSCP"));
    const found = await find("neighbour.dscp", { tools: { [RULESET]: ruleset(forward("ip", 0), ...rules) } });
    expect(found).toHaveLength(8);
    expect(found.at(-1)?.detail).toContain("2992 more rules");
  });
});

describe("preflight", () => {
  it("goes on when a check fails, and says so", async () => {
    const check = { name: "broken.check", run: () => Promise.reject(new TypeError("x is not a function")) };
    const findings = await preflight({
      machine: recorded({}),
      scratch: async () => ({ exitCode: 0, stderr: "" }),
      subject: GENERAL_SUBJECT,
      netlink: async () => ({ outcome: "supported", evidence: "" }),
      ebpf: async () => ({ outcome: "supported", evidence: "" }),
      checks: [check],
    });
    expect(findings).toMatchObject([
      { id: "broken.check", severity: "unknown", why: expect.stringContaining("x is not a function") },
    ]);
  });

  it("gives every fault a reason and a remedy, and asks each question once", async () => {
    const asked: string[] = [];
    const probed: string[] = [];
    const machine = recorded({ tools: { [RULESET]: ruleset(), [LINKS]: WAN } });
    const findings = await preflight({
      machine: {
        ...machine,
        run: (program, args) => {
          asked.push([program, ...args].join(" "));
          return machine.run(program, args);
        },
      },
      scratch: async (command) => {
        probed.push(JSON.stringify(command));
        return { exitCode: 2, stderr: "Error: Specified qdisc kind is unknown." };
      },
      subject: { ...GENERAL_SUBJECT, isConfigured: true },
      netlink: async () => ({ outcome: "missing in tool", evidence: "" }),
      ebpf: async () => ({ outcome: "missing in tool", evidence: "" }),
    });
    const faults = findings.filter(({ severity }) => severity !== "ok" && severity !== "unknown");
    expect(faults.length).toBeGreaterThan(10);
    expect(faults.filter(({ why, remedy }) => why === "" || remedy === "")).toEqual([]);
    expect(asked).toEqual([...new Set(asked)]);
    expect(probed).toEqual([...new Set(probed)]);
  });
});

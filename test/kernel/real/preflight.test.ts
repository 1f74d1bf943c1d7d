import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { probeEbpf } from "../../../src/kernel/ebpf/probe.js";
import { TunnelNames } from "../../../src/kernel/link/tunnel.js";
import { openLinuxKernel } from "../../../src/kernel/linux.js";
import type { Check } from "../../../src/kernel/preflight/check.js";
import type { Finding } from "../../../src/kernel/preflight/finding.js";
import { openLinuxMachine } from "../../../src/kernel/preflight/linux-machine.js";
import { preflight, ROUTER_CHECKS } from "../../../src/kernel/preflight/preflight.js";
import { GENERAL_SUBJECT, type Subject } from "../../../src/kernel/preflight/subject.js";
import { runInScratch } from "../../../src/kernel/probe/scratch.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { bitsPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link, pool } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

const TABLE = "sluice_test";
const TUNNEL = new TunnelNames(TABLE).device(3);

const SUBJECT: Subject = {
  ...GENERAL_SUBJECT,
  isConfigured: true,
  table: TABLE,
  interfaces: ["wan0", "lan0"].map((name) => ({ name, rate: bitsPerSecond(20e6) })),
};

/** Probes and versions do not change from one test to the next. */
const QUICK = ROUTER_CHECKS.filter(({ name }) => !/^(feature|backend|version|clock)\./.test(name));

const examine = (checks: readonly Check[] = QUICK, changes: Partial<Subject> = {}): Promise<readonly Finding[]> =>
  preflight({
    machine: openLinuxMachine({ toolTimeoutMs: 10_000 }),
    scratch: runInScratch,
    subject: { ...SUBJECT, ...changes },
    checks,
    netlink: async () => ({ outcome: "supported", evidence: "" }),
    ebpf: probeEbpf,
  });

const shell = (command: string): Promise<string> => run("sh", "-ec", `PATH=$PATH:/usr/sbin:/sbin\n${command}`);
const nft = (...lines: readonly string[]): string => `nft -f - <<'END'\n${lines.join("\n")}\nEND`;
const inChain = (hook: string, rule: string): string =>
  nft("table ip other {", "chain c {", `type filter hook ${hook} priority filter`, rule, "}", "}");

/** What a healthy router has; what the namespace has of the host's is no matter here. */
const HEALTHY = `
ip link add wan0 type veth peer name far0
ip link add lan0 type veth peer name far1
for name in wan0 far0 lan0 far1; do ip link set dev $name up; done
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan0.rp_filter=2 net.ipv4.conf.lan0.rp_filter=2
for name in wan0 lan0; do ethtool -K $name tso off gso off gro off; done
`;

interface Bad {
  readonly id: string;
  readonly severity: Finding["severity"];
  readonly make: string;
  /** In what was found. */
  readonly what: string;
  readonly remedy: string;
}

const BAD: readonly (readonly [string, Bad])[] = [
  [
    "IPv4 that is not forwarded",
    {
      id: "forwarding.ipv4",
      severity: "error",
      make: "sysctl -qw net.ipv4.ip_forward=0",
      what: "net.ipv4.ip_forward is 0",
      remedy: "sysctl -w net.ipv4.ip_forward=1",
    },
  ],
  [
    "IPv6 that is not forwarded",
    {
      id: "forwarding.ipv6",
      severity: "warning",
      make: "sysctl -qw net.ipv6.conf.all.forwarding=0",
      what: "net.ipv6.conf.all.forwarding is 0",
      remedy: "sysctl -w net.ipv6.conf.all.forwarding=1",
    },
  ],
  [
    "one interface that does not forward",
    {
      id: "forwarding.ipv4.interface",
      severity: "warning",
      make: "sysctl -qw net.ipv4.conf.lan0.forwarding=0",
      what: "net.ipv4.conf.lan0.forwarding is 0",
      remedy: "sysctl -w net.ipv4.conf.lan0.forwarding=1",
    },
  ],
  [
    "a strict reverse path filter",
    {
      id: "forwarding.reversePath",
      severity: "warning",
      make: "sysctl -qw net.ipv4.conf.wan0.rp_filter=1",
      what: "wan0",
      remedy: "sysctl -w net.ipv4.conf.wan0.rp_filter=2",
    },
  ],
  [
    "bridged frames on the hooks",
    {
      id: "forwarding.bridgeNetfilter",
      severity: "note",
      make: "ip link add br0 type bridge; sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=0",
      what: "net.bridge.bridge-nf-call-iptables is 1",
      remedy: "sysctl -w net.bridge.bridge-nf-call-iptables=0",
    },
  ],
  ...(["inet", "arp"] as const).map((family): readonly [string, Bad] => [
    `somebody's ${family} table of our name`,
    {
      id: "name.table",
      severity: "error",
      make: `nft add table ${family} ${TABLE}`,
      what: `${family} ${TABLE} is somebody else's`,
      remedy: `nft delete table ${family} ${TABLE}`,
    },
  ]),
  [
    "somebody's root queue",
    {
      id: "name.rootQueue",
      severity: "error",
      make: "tc qdisc add dev wan0 root handle 5: pfifo",
      what: "wan0 already has a root queue (pfifo 5:)",
      remedy: "tc qdisc del dev wan0 root",
    },
  ],
  [
    "a root queue with our handle that is not ours",
    {
      id: "name.rootQueue",
      severity: "error",
      make: "tc qdisc add dev lan0 root handle 1: htb default ffff",
      what: "lan0 already has a root queue (htb 1:)",
      remedy: "tc qdisc del dev lan0 root",
    },
  ],
  [
    "a routing rule on our mark bits",
    {
      id: "name.routingRule",
      severity: "warning",
      make: "ip rule add fwmark 0x10000/0xff0000 lookup 100 pref 100",
      what: "bits 0xff0000 of the packet mark",
      remedy: "ip -4 rule del pref 100 fwmark 0x10000/0xff0000 lookup 100",
    },
  ],
  [
    "an IPv6 routing rule with our preference",
    {
      id: "name.routingRule",
      severity: "warning",
      make: "ip -6 rule add from all lookup 100 pref 5310",
      what: "5310 of IPv6 has a preference of ours",
      remedy: "ip -6 rule del pref 5310 lookup 100",
    },
  ],
  [
    "a device with the name of a tunnel",
    {
      id: "name.tunnel",
      severity: "warning",
      make: `ip link add ${TUNNEL} type veth peer name far2`,
      what: `the device ${TUNNEL}`,
      remedy: `ip link del ${TUNNEL}`,
    },
  ],
  [
    "a VXLAN from the range of our tunnels",
    {
      id: "name.tunnel",
      severity: "note",
      make: "ip link add vx9 type vxlan id 9 local 192.0.2.1 remote 192.0.2.2 dstport 4789",
      what: "the VXLAN vx9 has the identifier 9",
      remedy: "ip link del vx9",
    },
  ],
  [
    "a rule that overwrites the mark",
    {
      id: "neighbour.mark",
      severity: "warning",
      make: inChain("prerouting", "meta mark set 0x100"),
      what: "a rule of ip other c writes bits 0xff0000",
      remedy: "nft delete rule ip other c handle 2",
    },
  ],
  [
    "a rule two jumps away that decides by our bits",
    {
      id: "neighbour.mark",
      severity: "warning",
      make: nft(
        "table inet other {",
        "chain deep {",
        "meta mark & 0x00f00000 == 0x00100000 drop",
        "}",
        "chain middle {",
        "goto deep",
        "}",
        "chain c {",
        "type filter hook forward priority filter",
        "jump middle",
        "}",
        "}",
      ),
      what: "a rule of inet other deep decides by bits 0xf00000",
      remedy: "nft delete rule inet other deep handle 4",
    },
  ],
  [
    "a rule of iptables that writes our bits",
    {
      id: "neighbour.mark",
      severity: "warning",
      make: 'iptables -t mangle -A PREROUTING -m comment --comment "two words -j DROP" -j MARK --set-xmark 0x20000/0x20000',
      what: "a rule of ip mangle PREROUTING writes bits 0x20000",
      remedy:
        'iptables-nft -t mangle -D PREROUTING -m comment --comment "two words -j DROP" -j MARK --set-xmark 0x20000/0x20000',
    },
  ],
  [
    "a rule that writes the DSCP after us",
    {
      id: "neighbour.dscp",
      severity: "warning",
      make: inChain("postrouting", "ip dscp set cs1"),
      what: "a rule of ip other c writes the DSCP after us",
      remedy: "nft delete rule ip other c handle 2",
    },
  ],
  [
    "a rule of ip6tables that writes the DSCP",
    {
      id: "neighbour.dscp",
      severity: "warning",
      make: "ip6tables -t mangle -A POSTROUTING -j DSCP --set-dscp 8",
      what: "a rule of ip6 mangle POSTROUTING",
      remedy: "ip6tables-nft -t mangle -D POSTROUTING -j DSCP --set-dscp 0x08",
    },
  ],
  [
    "a rule that chooses the class after us",
    {
      id: "neighbour.class",
      severity: "warning",
      make: inChain("forward", "meta priority set 1:10"),
      what: "a rule of ip other c chooses the class",
      remedy: "nft delete rule ip other c handle 2",
    },
  ],
  [
    "Docker's forward chain",
    {
      id: "neighbour.policy",
      severity: "warning",
      make: "iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER; iptables -P FORWARD DROP",
      what: "ip filter FORWARD drops what no rule of it accepts",
      remedy: "iptables -I DOCKER-USER -j ACCEPT",
    },
  ],
  [
    "iptables-legacy",
    {
      id: "neighbour.legacy",
      severity: "note",
      make: "iptables-legacy -t mangle -A FORWARD -p sctp -j ACCEPT",
      what: "rules of iptables-legacy for IPv4",
      remedy: "iptables-legacy-save | iptables-nft-restore --noflush && iptables-legacy -t mangle -F",
    },
  ],
  [
    "an interface that is down",
    {
      id: "link.up",
      severity: "warning",
      make: "ip link set dev wan0 down",
      what: "wan0 is down",
      remedy: "ip link set dev wan0 up",
    },
  ],
  [
    "a tiny MTU",
    {
      id: "link.mtu",
      severity: "warning",
      make: "ip link set dev lan0 mtu 1000",
      what: "lan0 has an MTU of 1000",
      remedy: "ip link set dev lan0 mtu 1500",
    },
  ],
  [
    "a strict reverse path filter on a tunnel of ours",
    {
      id: "forwarding.reversePath",
      severity: "warning",
      make: `
ip link add ${TUNNEL} type vxlan id 3 local 192.0.2.1 remote 192.0.2.2 dstport 4789
ip link set ${TUNNEL} alias sluice:${TABLE}:3:x
sysctl -qw net.ipv4.conf.${TUNNEL}.rp_filter=1`,
      what: `on ${TUNNEL}`,
      remedy: `sysctl -w net.ipv4.conf.${TUNNEL}.rp_filter=2`,
    },
  ],
  [
    "bundles of packets on a slow link",
    {
      id: "offload.bundles",
      severity: "note",
      make: "ethtool -K wan0 tso on gso on",
      what: "tso, gso",
      remedy: "ethtool -K wan0 tso off gso off",
    },
  ],
];

inOwnNamespace(import.meta.url, () => {
  beforeEach(async () => {
    await shell(HEALTHY);
  });
  afterEach(async () => {
    await shell(`
nft flush ruleset
for name in wan0 lan0 br0 vx9 ${TUNNEL}; do ip link del $name 2>/dev/null || true; done
ip rule flush; ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default
ip -6 rule flush; ip -6 rule add pref 32766 lookup main
iptables-legacy -t mangle -F`);
  });

  describe("preflight", () => {
    const wrong = (findings: readonly Finding[]) =>
      findings.filter(({ severity }) => severity === "error" || severity === "warning" || severity === "unknown");

    it("finds nothing wrong with a healthy router", async () => {
      const started = performance.now();
      const findings = await examine(ROUTER_CHECKS);
      // It takes a second; several times that on a busy machine.
      expect(performance.now() - started).toBeLessThan(15_000);
      expect(wrong(findings)).toEqual([]);
    });

    it("knows what is ours for ours", async () => {
      const kernel = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 1024 });
      await reconcile(kernel, desired([flow(1)], { interfaces: [link("wan0")], pools: [pool(1)] }));
      expect(wrong(await examine())).toEqual([]);
      await kernel.cleanup();
      await kernel.close();
    });

    it.each(BAD)("finds %s, and what it says mends it", async (_, { id, severity, make, what, remedy }) => {
      const before = await examine();
      expect(before.filter((finding) => finding.id === id && finding.severity !== "ok")).toEqual([]);
      await shell(make);
      const found = (await examine()).filter((finding) => finding.id === id);
      expect(found).toEqual([
        expect.objectContaining({
          severity,
          remedy,
          what: expect.stringContaining(what),
          why: expect.stringMatching(/./),
        }),
      ]);
      await shell(remedy);
      const after = await examine();
      expect(after.filter((finding) => finding.id === id && finding.severity !== "ok")).toEqual([]);
    });

    it("tells two systems at once from one", async () => {
      await shell(`iptables-legacy -t mangle -A FORWARD -p sctp -j ACCEPT\n${inChain("input", "accept")}`);
      const found = (await examine()).find(({ id }) => id === "neighbour.legacy");
      expect(found).toMatchObject({ severity: "warning", what: expect.stringContaining("beside rules of nftables") });
    });

    it("warns of source NAT where packets are recognised after it", async () => {
      const masquerade = ["type nat hook postrouting priority srcnat", 'oifname "wan0" masquerade'];
      await shell(nft("table ip home {", "chain post {", ...masquerade, "}", "}"));
      const found = (await examine(QUICK, { backend: "ebpf" })).find(({ id }) => id === "ebpf.sourceNat");
      expect(found).toMatchObject({ severity: "warning", what: expect.stringContaining("ip home post") });
      expect((await examine()).find(({ id }) => id === "ebpf.sourceNat")).toBeUndefined();
    });

    it("minds only the bits of the mark that are ours, and only where packets of sessions pass", async () => {
      await shell(inChain("input", "meta mark set 0x100"));
      await shell(
        nft(
          "table ip kind {",
          "chain c {",
          "type filter hook forward priority 0",
          "meta mark set meta mark | 0x4000",
          "}",
          "}",
        ),
      );
      await shell("iptables -t mangle -A FORWARD -m mark --mark 0x1/0xff -j ACCEPT");
      expect((await examine()).find(({ id }) => id === "neighbour.mark")).toMatchObject({ severity: "ok" });
    });

    it("lists who is on the hooks before and after us", async () => {
      await shell(inChain("forward", "counter"));
      const found = (await examine()).find(({ id }) => id === "neighbour.hooks");
      // Once loaded, the tables of iptables-legacy stay on their hooks.
      expect(found?.detail.split("\n")).toContain("forward 0: ip other c (policy accept), after us");
    });

    it("works without any right, and says what it could not see", async () => {
      await shell("sysctl -qw net.ipv4.ip_forward=0");
      process.seteuid?.(65_534);
      try {
        const findings = await examine(ROUTER_CHECKS);
        const severityOf = (name: string) => findings.find(({ id }) => id === name)?.severity;
        expect(severityOf("capability.netAdmin")).toBe("unknown");
        expect(severityOf("neighbour.mark")).toBe("unknown");
        expect(severityOf("name.table")).toBe("unknown");
        expect(severityOf("forwarding.ipv4")).toBe("error");
        expect(severityOf("name.rootQueue")).toBe("ok");
        const features = findings.filter(({ id }) => id.startsWith("feature."));
        expect(features.filter(({ severity }) => severity === "error")).toEqual([]);
      } finally {
        process.seteuid?.(0);
      }
    });

    it("changes nothing", async () => {
      const everything = () =>
        shell(
          "nft list ruleset; ip -d link; ip rule; ip -6 rule; tc qdisc; sysctl -a 2>/dev/null | grep -E 'forward|rp_filter'",
        );
      const before = await everything();
      await examine(ROUTER_CHECKS);
      expect(await everything()).toBe(before);
    });
  });
});

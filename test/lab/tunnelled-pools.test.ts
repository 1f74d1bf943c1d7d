/** A pool between two edges in a tunnel: all its calls are one outer flow each way, and nothing else gets in. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KernelView, TunnelView } from "../../src/control/views.js";
import type { Edits } from "./support/configs.js";
import { expectAssured, expectNothingLeft, expectSettled } from "./support/expectations.js";
import { flowOf, type LinkPacket, linkPackets } from "./support/outer-packets.js";
import { IPV4, IPV6 } from "./support/pcaps.js";
import { ROOT } from "./support/root.js";
import { SECOND_CALLEE, SECOND_MEDIA_PORT, secondCall } from "./support/second-call.js";
import { TestLab } from "./support/test-lab.js";
import { until } from "./support/until.js";

const COMMUNITIES = [
  {
    name: "a",
    prefixes: ["10.1.0.0/24", "fd01::/64"],
    domains: ["a.example"],
    router: "r1.a.example",
    edge: "10.1.0.1",
  },
  {
    name: "b",
    prefixes: ["10.3.0.0/24", "fd03::/64"],
    domains: ["b.example"],
    router: "r2.b.example",
    edge: "10.3.0.1",
  },
];
const policy = [
  [["communities"], COMMUNITIES],
  [["pools"], [{ name: "voice", id: 1, from: "a", to: "b", class: "voice", rate: "400 kbit/s", carry: "tunnelled" }]],
  [["classes"], [{ name: "voice", phb: "EF", outOfProfile: "drop", packetSize: 220 }]],
] as const;
const EDITS: Edits = { pol1: policy, pol2: policy };
const OUTER = { r1: "10.1.0.1:49153 > 10.3.0.1:4789", r2: "10.3.0.1:49153 > 10.1.0.1:4789" } as const;
/** What VXLAN adds over IPv4 (RFC 7348 §5). */
const ADDED = 50;
const EF = 46;
const MEDIA_PORTS = [6000, SECOND_MEDIA_PORT];
const STRAY_PORT = 9;

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({ edits: [EDITS, SECOND_CALLEE] });
}, 300_000);
afterAll(() => lab?.down());

type Edge = "r1" | "r2";

/** As `ip -j -s link` prints it. */
interface LinkCounters {
  readonly stats64: { readonly rx: { readonly packets: number } };
}

const packetsOn = (host: string, device: string): Promise<readonly LinkPacket[]> =>
  linkPackets(join(lab.captures.directory, `${host}-${device}.pcap`));
const isMedia = ({ datagram }: LinkPacket): boolean => MEDIA_PORTS.includes(datagram.destinationPort);
const since = (moment: number, packets: readonly LinkPacket[]): readonly LinkPacket[] =>
  packets.filter(({ at }) => at >= moment);

async function tunnelAt(edge: Edge): Promise<TunnelView | undefined> {
  const views = await lab.view<TunnelView>(edge, "tunnels");
  expect(views.length).toBeLessThanOrEqual(1);
  return views[0];
}

/** Packets that the pool's class sent towards the other edge. */
async function sentByClass(edge: Edge, device = "core"): Promise<number> {
  const [view] = await lab.lab.ask(edge, "/v1/show/kernel");
  const { classes } = view as unknown as KernelView;
  return classes.find((found) => found.interface === device && found.pool === "voice")?.sent.packets ?? -1;
}

const ipOf = (edge: Edge, ...command: readonly string[]) => lab.lab.exec(edge, ["ip", ...command]);

test("two calls of two IP versions are one outer flow each way; what was not admitted stays outside", async () => {
  expect(await tunnelAt("r1")).toMatchObject({ id: 1, name: "voice", kind: "vxlan", mtu: 1450, flows: 0 });
  const call = lab.call(["--seconds", "5"]);
  const second = await secondCall(lab, { callee: "uas-bye", seconds: 1.4, addresses: IPV6 });
  const stray = [
    ...["node", join(ROOT, "dist/lab/flood-main.js"), "--to", IPV4.uas, "--port", String(STRAY_PORT)],
    ...["--mbit", "0.1", "--size", "200", "--seconds", "1"],
  ];
  await lab.lab.exec("uac", stray);
  await second.over;
  for (const edge of ["r1", "r2"] as const) {
    const tunnel = await tunnelAt(edge);
    expect(tunnel, edge).toMatchObject({ outer: `udp ${OUTER[edge]}`, state: "whole" });
    expect(tunnel?.flows, `flows in the tunnel of ${edge}`).toBeGreaterThan(0);
    expect(tunnel?.carried.packets, `packets in the tunnel of ${edge}`).toBeGreaterThan(0);
  }
  await expectSettled(lab, call);
  for (const to of ["uas", "uac"] as const) {
    const media = await lab.captures.media(to, call.began, { addresses: IPV6, port: SECOND_MEDIA_PORT });
    expectAssured(`IPv6 to ${to}`, media);
  }

  const onLink = since(call.began, await packetsOn("r1", "core"));
  const media = onLink.filter(isMedia);
  expect(media.filter(({ outer }) => outer === undefined)).toEqual([]);
  const flows = (list: readonly LinkPacket[]) =>
    new Set(list.flatMap(({ outer }) => (outer === undefined ? [] : [flowOf(outer.datagram)])));
  expect([...flows(media)].sort()).toEqual(Object.values(OUTER));
  const outside = media.map(({ datagram, outer, ttl }) => ({
    dscp: outer?.datagram.dscp,
    added: (outer?.datagram.octets ?? 0) - datagram.octets,
    ttl,
  }));
  expect(new Set(outside.map(({ dscp }) => dscp))).toEqual(new Set([EF]));
  expect(new Set(outside.map(({ added }) => added))).toEqual(new Set([ADDED]));
  // One hop behind each packet, as without a tunnel.
  expect(new Set(outside.map(({ ttl }) => ttl))).toEqual(new Set([63]));

  const strays = onLink.filter(({ datagram }) => datagram.destinationPort === STRAY_PORT);
  expect(strays.length, "packets of nobody's session on the link").toBeGreaterThan(20);
  expect(strays.filter(({ outer, datagram }) => outer !== undefined || datagram.dscp !== 0)).toEqual([]);
  // All of the media went through the pools' classes, and nothing else did.
  for (const edge of ["r1", "r2"] as const) {
    const own = media.filter(({ outer }) => outer !== undefined && flowOf(outer.datagram) === OUTER[edge]);
    expect(await sentByClass(edge), `packets that the class of ${edge} sent`).toBe(own.length);
  }
  const delivered = since(call.began, await packetsOn("r2", "access")).filter(
    (packet) => isMedia(packet) && [IPV4.uas, IPV6.uas].includes(packet.datagram.destination),
  );
  const original = (list: readonly LinkPacket[]) =>
    list.map(({ datagram }) => `${flowOf(datagram)} ${datagram.payload.toString("hex")}`).sort();
  const entered = since(call.began, await packetsOn("r1", "access")).filter(
    (packet) => isMedia(packet) && [IPV4.uas, IPV6.uas].includes(packet.datagram.destination),
  );
  expect(original(delivered), "the packets themselves").toEqual(original(entered));
  expect(new Set(delivered.map(({ ttl }) => ttl))).toEqual(new Set([62]));
});

test("the tunnel stays when nobody is in it", async () => {
  await expectNothingLeft(lab);
  for (const edge of ["r1", "r2"] as const) {
    expect(await tunnelAt(edge)).toMatchObject({ flows: 0, state: "whole" });
    expect(await ipOf(edge, "-d", "link", "show", "type", "vxlan")).toContain(`sluice:sluice:1:voice`);
  }
});

test("what comes out of the tunnel without a session is not taken for one", async () => {
  const received = async (): Promise<number> => {
    const [{ stats64 }] = JSON.parse(await ipOf("r2", "-j", "-s", "link", "show", "type", "vxlan")) as [LinkCounters];
    return stats64.rx.packets;
  };
  const [sent, before] = [await sentByClass("r2", "access"), await received()];
  // The router can send with its own mark; who can forge packets on the core could send the same.
  const mark = /fwmark (0x[0-9a-f]+)/.exec(await ipOf("r1", "rule"))?.[1] ?? "";
  const ping = ["ping", "-m", String(Number(mark)), "-I", "10.1.0.1", "-c", "5", "-i", "0.05", "-q", "-W", "1"];
  const said = await lab.lab.exec("r1", [...ping, IPV4.uas]);
  expect(said).toContain("5 received");
  expect((await received()) - before, "packets out of the tunnel").toBeGreaterThanOrEqual(5);
  expect(await sentByClass("r2", "access")).toBe(sent);
});

test("kill -9 of the router: the call goes on in the tunnel, and is taken over", async () => {
  const call = await lab.callWithMedia(["--seconds", "7"]);
  await lab.stop("r1", "KILL");
  const down = Date.now();
  await until("media while the router is down", async () => {
    const { received } = await lab.captures.media("uas", down);
    return received.length >= 20;
  });
  await lab.start("r1");
  await until("the router to know the call", async () => ((await tunnelAt("r1"))?.flows ?? 0) > 0);
  expect(await tunnelAt("r1")).toMatchObject({ state: "whole" });
  await expectSettled(lab, call);
  const media = since(down, await packetsOn("r1", "core")).filter(isMedia);
  expect(media.filter(({ outer }) => outer === undefined)).toEqual([]);
});

test("a router that is cleaned up leaves no tunnel behind", async () => {
  const clean = async (edge: Edge): Promise<void> => {
    await lab.stop(edge, "TERM");
    const command = ["env", `SLUICE_LAB=${lab.lab.directory}`, "node", join(ROOT, "dist/cli/main.js"), "cleanup"];
    await lab.lab.exec(edge, [...command, "-c", join(lab.configs, `${edge}.yaml`)]);
    expect(await ipOf(edge, "link", "show", "type", "vxlan"), edge).toBe("");
    expect(await ipOf(edge, "rule"), edge).not.toContain("fwmark");
    expect(await ipOf(edge, "-6", "rule"), edge).not.toContain("fwmark");
    expect(await ipOf(edge, "route", "show", "table", "all", "proto", "83"), edge).toBe("");
  };
  await Promise.all([clean("r1"), clean("r2")]);
});

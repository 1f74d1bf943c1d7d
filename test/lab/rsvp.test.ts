/** Aggregates from edge to edge through a transit router that admits them, with signed messages. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RsvpSessionView, RsvpView } from "../../src/control/views.js";
import { type Background, openLab } from "../../src/lab/lab.js";
import { dscp, kilobitsPerSecond } from "../../src/model/units.js";
import { DEFAULT_AGGREGATE_RULES } from "../../src/rsvp/machine/aggregate.js";
import { TROUBLE } from "../rsvp/tshark.js";
import { copyConfigs, type Edits } from "./support/configs.js";
import { ROOT } from "./support/root.js";
import { takeSlots } from "./support/slots.js";
import { untilNothing } from "./support/until.js";

const REFRESH_MS = 1000;
/** RFC 2205 §3.7 with K = 3. */
const LIFETIME_MS = 5.25 * REFRESH_MS;
/** What a busy machine takes to look. */
const MACHINE_MS = 5000;
const ANSWER_TIMEOUT_S = DEFAULT_AGGREGATE_RULES.answerTimeout / 1000;
const EDGE = { r1: "10.1.0.1", r2: "10.3.0.1" } as const;
type Edge = keyof typeof EDGE;

const speaking = (own: Edge, remote: Edge, id: number, rate: string): Edits => ({
  [own]: [
    [
      ["rsvp"],
      {
        transport: "raw",
        refresh: "1 s",
        address: EDGE[own],
        interfaces: [{ name: "core", room: "2 Mbit/s" }],
        keys: [{ id, interface: "core", secretFile: `${own}.key` }],
        aggregates: [{ remote: EDGE[remote], phb: "EF", rate }],
      },
    ],
  ],
});

/** From T to R2: narrower than the edges' links, so that a flood is lost at T and nowhere before. */
const BOTTLENECK = "3 Mbit/s";
const MEDIA_PORT = 6400;
const FLOOD_PORT = 6401;
const UAS = "10.3.0.10";
/** 160 kbit/s at layer 3, in an aggregate of 400. */
const MEDIA = { packets: 300, size: 200, everyMs: 10 } as const;

const lab = openLab({ prefix: `t${process.pid}rsvp`, root: ROOT });
const capture = `/tmp/sluice-${lab.prefix}.pcap`;
let configs = "";
let tcpdump: Background | undefined;
let release: () => void = () => undefined;

beforeAll(async () => {
  release = await takeSlots(1);
  configs = copyConfigs(speaking("r1", "r2", 1, "400 kbit/s"), speaking("r2", "r1", 2, "240 kbit/s"));
  const transit = readFileSync(join(ROOT, "test/lab/rsvp/t.yaml"), "utf8");
  writeFileSync(join(configs, "t.yaml"), transit.replace("name: r2, rate: 10 Mbit/s", `name: r2, rate: ${BOTTLENECK}`));
  for (const edge of ["r1", "r2"]) writeFileSync(join(configs, `${edge}.key`), randomBytes(32).toString("hex"));
  await lab.up(["--transit", "--configs", configs]);
}, 300_000);
afterAll(async () => {
  await lab.down();
  rmSync(configs, { recursive: true, force: true });
  rmSync(capture, { force: true });
  release();
});

const script = (...args: readonly string[]) =>
  execa("bash", [join(ROOT, "scripts/netns-lab.sh"), "--prefix", lab.prefix, ...args]);

async function rsvp(role: string): Promise<RsvpView> {
  const [view] = await lab.ask(role, "/v1/show/rsvp");
  return view as unknown as RsvpView;
}

const both = (kilobits: number) => ({ wanted: kilobitsPerSecond(kilobits), granted: kilobitsPerSecond(kilobits) });
const FROM_R1 = { sender: EDGE.r1, destination: EDGE.r2, dscp: dscp(46), ...both(400) };
const FROM_R2 = { sender: EDGE.r2, destination: EDGE.r1, dscp: dscp(46), ...both(240) };
const HOPS = { r1: "10.2.1.1", tr1: "10.2.1.2", tr2: "10.2.2.2", r2: "10.2.2.1" };

/** What each router holds of both aggregates when all agree. */
const AGREED: Readonly<Record<string, readonly RsvpSessionView[]>> = {
  r1: [
    { ...FROM_R1, role: "aggregator", nextHop: HOPS.tr1, interface: "core" },
    { ...FROM_R2, role: "deaggregator", previousHop: HOPS.tr1 },
  ],
  t: [
    { ...FROM_R1, role: "transit", previousHop: HOPS.r1, nextHop: HOPS.r2, interface: "r2" },
    { ...FROM_R2, role: "transit", previousHop: HOPS.r2, nextHop: HOPS.r1, interface: "r1" },
  ],
  r2: [
    { ...FROM_R1, role: "deaggregator", previousHop: HOPS.tr2 },
    { ...FROM_R2, role: "aggregator", nextHop: HOPS.tr2, interface: "core" },
  ],
};

const bySender = (sessions: readonly RsvpSessionView[]): readonly RsvpSessionView[] =>
  [...sessions].sort((one, other) => (one.sender < other.sender ? -1 : 1));

/** @returns the milliseconds that it took */
async function untilAgreed(within: number): Promise<number> {
  const began = Date.now();
  await untilNothing(
    "the routers to agree",
    async () => {
      const found = await Promise.all(
        Object.entries(AGREED).map(async ([role, wanted]) => {
          const sessions = bySender((await rsvp(role)).sessions);
          return JSON.stringify(sort(sessions)) === JSON.stringify(sort(wanted))
            ? []
            : [`${role}: ${JSON.stringify(sessions)}`];
        }),
      );
      return found.flat();
    },
    { within, every: 20 },
  );
  return Date.now() - began;
}

const sort = (sessions: readonly RsvpSessionView[]) =>
  sessions.map((session) => Object.fromEntries(Object.entries(session).sort()));

/** Classes of reservations on an interface of T, as `1:4000` to the rate that tc tells. */
async function classesOfT(device: string): Promise<Readonly<Record<string, string>>> {
  const text = await lab.exec("t", ["tc", "class", "show", "dev", device]);
  const found = text.matchAll(/^class htb (1:[4-7][0-9a-f]{3}) .* rate (\S+) /gm);
  return Object.fromEntries([...found].map(([, id, rate]) => [id, rate]));
}

interface ClassCount {
  readonly packets: number;
  readonly dropped: number;
}

/** What a class of T towards R2 has sent and dropped. */
async function countAtT(classId: string): Promise<ClassCount> {
  const text = await lab.exec("t", ["tc", "-s", "class", "show", "dev", "r2"]);
  const found = new RegExp(`^class htb ${classId} [^]*?Sent \\d+ bytes (\\d+) pkt \\(dropped (\\d+)`, "m").exec(text);
  if (found === null) throw new Error(`no class ${classId} at T:\n${text}`);
  return { packets: Number(found[1]), dropped: Number(found[2]) };
}

/** Packets to a port that have come to UAS. */
async function arrived(port: number): Promise<number> {
  const text = await lab.exec("uas", ["nft", "list", "table", "inet", "arrivals"]);
  return Number(new RegExp(`udp dport ${port} counter packets (\\d+)`).exec(text)?.[1] ?? -1);
}

const SENDER = `
const [port, address, size, packets, every] = process.argv.slice(1);
const socket = require("node:dgram").createSocket("udp4");
const payload = Buffer.alloc(Number(size) - 28);
let sent = 0;
const timer = setInterval(() => {
  socket.send(payload, Number(port), address);
  if (++sent < Number(packets)) return;
  clearInterval(timer);
  setTimeout(() => socket.close(), 100);
}, Number(every));
`;

/** T has no session of those senders, and no class at all: neither direction is whole without both edges. */
const untilForgotten = (isMeant: (sender: string) => boolean) =>
  untilNothing(
    "T to forget",
    async () => {
      const senders = (await rsvp("t")).sessions.map(({ sender }) => sender);
      const classes = await Promise.all(["r1", "r2"].map(classesOfT));
      return [...senders.filter(isMeant), ...classes.flatMap((found) => Object.keys(found))];
    },
    { within: 2 * LIFETIME_MS },
  );

/** Of T, towards each edge. Layer 2: 14 octets more for every 200. */
const CLASS_RATES = { r1: ["256800bit"], r2: ["428Kbit"] } as const;

/** Times (epoch s) of frames of the capture that a filter of tshark lets through. */
async function times(filter: string): Promise<readonly number[]> {
  const args = ["-n", "-r", capture, "-Y", filter, "-T", "fields", "-e", "frame.time_epoch"];
  const { stdout } = await execa("tshark", args, { stderr: "ignore" });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

describe("aggregates R1 - T - R2", () => {
  test("are there in both directions, everywhere as wanted, with classes at T", async () => {
    await untilAgreed(10_000);
    for (const device of ["r1", "r2"] as const) {
      expect(Object.values(await classesOfT(device)), device).toEqual(CLASS_RATES[device]);
    }
    const view = await rsvp("t");
    expect(view).toMatchObject({ transport: "raw", refresh: REFRESH_MS });
    expect(view.interfaces).toEqual([
      { name: "r1", up: true, room: 1e6, reserved: 240_000 },
      { name: "r2", up: true, room: 1e6, reserved: 400_000 },
    ]);
    expect(await lab.ask("t", "/v1/health")).toMatchObject([{ status: "ok" }]);
  });

  test("lose no packet of media at T while a flood of best effort does", async () => {
    const [classId = ""] = Object.keys(await classesOfT("r2"));
    const marking = `table inet marking { chain out { type filter hook output priority 0; udp dport ${MEDIA_PORT} ip dscp set ef; }; }`;
    await lab.exec("uac", ["nft", marking]);
    const counters = [MEDIA_PORT, FLOOD_PORT].map((port) => `udp dport ${port} counter`).join("; ");
    const counting = `table inet arrivals { chain in { type filter hook prerouting priority 0; ${counters}; }; }`;
    await lab.exec("uas", ["nft", counting]);
    const before = { media: await countAtT(classId), rest: await countAtT("1:ffff") };
    const flood = lab.spawn("load1", [
      ...["node", join(ROOT, "dist/lab/flood-main.js"), "--to", UAS, "--port", `${FLOOD_PORT}`],
      ...["--mbit", "6", "--size", "1000", "--seconds", "60"],
    ]);
    await flood.said("flooding");
    const { packets, size, everyMs } = MEDIA;
    await lab.exec("uac", ["node", "-e", SENDER, `${MEDIA_PORT}`, UAS, `${size}`, `${packets}`, `${everyMs}`]);
    await flood.stop();
    await untilNothing(
      "the media to arrive",
      async () => ((await arrived(MEDIA_PORT)) === packets ? [] : [`${await arrived(MEDIA_PORT)} of ${packets}`]),
      { within: 5000 },
    );
    const after = { media: await countAtT(classId), rest: await countAtT("1:ffff") };
    expect(after.media).toEqual({ packets: before.media.packets + packets, dropped: before.media.dropped });
    expect(after.rest.dropped - before.rest.dropped, "packets of the flood lost at T").toBeGreaterThan(packets);
    expect(await arrived(FLOOD_PORT)).toBeGreaterThan(0);
  });

  test("an edge that comes back has its aggregate before it would ask again", async () => {
    await script("stop", "r1");
    await untilForgotten((sender) => sender === EDGE.r1);
    const command = ["tcpdump", "-i", "r1", "-n", "-U", "--immediate-mode", "-s", "0", "-Z", "root", "-w", capture];
    tcpdump = lab.spawn("t", command);
    await tcpdump.said("listening on");
    await script("start", "r1");
    await untilAgreed(10_000);
    const [resv = 0] = await times(`rsvp.msg == 2 && ip.dst == ${HOPS.r1}`);
    // On a machine that stood still for the time-out of an answer, the attempt that was given up does not count.
    const tears = await times(`rsvp.msg == 5 && ip.src == ${EDGE.r1}`);
    const begun = Math.max(0, ...tears.filter((at) => at < resv));
    const paths = await times(`rsvp.msg == 1 && ip.src == ${EDGE.r1}`);
    const took = resv - (paths.find((at) => at > begun) ?? 0);
    expect(took, "seconds from the first Path to the Resv").toBeGreaterThan(0);
    expect(took, "seconds from the first Path to the Resv").toBeLessThan(ANSWER_TIMEOUT_S);
  });

  test("T, killed and started, agrees with the edges again within two refreshes, its class in place meanwhile", async () => {
    const before = await classesOfT("r2");
    await script("stop", "t", "KILL");
    expect(await classesOfT("r2")).toEqual(before);
    await script("start", "t");
    // A refresh is at most 1.5 R away, and a neighbour's first message after the start goes into the handshake (RFC 2747
    // §4.3); the rest is for the machine.
    expect(await untilAgreed(10_000)).toBeLessThan(2 * 1.5 * REFRESH_MS + MACHINE_MS);
    expect(await classesOfT("r2")).toEqual(before);
  });

  test("every message is well-formed to tshark and signed", async () => {
    await tcpdump?.stop();
    const { stdout } = await execa("tshark", ["-r", capture, "-n", "-V", "-O", "rsvp", "-Y", "rsvp"], {
      stderr: "ignore",
    });
    const frames = stdout.split(/^Frame \d+:.*\n/m).slice(1);
    expect(frames.length).toBeGreaterThan(10);
    expect(frames.filter((frame) => TROUBLE.test(frame) || /warning/i.test(frame))).toEqual([]);
    const unsigned = await times("rsvp && !(rsvp.object == 4) && !(rsvp.msg == 25)");
    expect(unsigned).toEqual([]);
  });

  test("edges that are gone leave nothing at T, and the lab nothing on the machine", async () => {
    await script("stop", "r1");
    await script("stop", "r2");
    await untilForgotten(() => true);
    await lab.down();
    const namespaces = readdirSync("/run/netns").filter((name) => name.startsWith(`${lab.prefix}-`));
    expect({ namespaces, directory: existsSync(lab.directory) }).toEqual({ namespaces: [], directory: false });
  });
});

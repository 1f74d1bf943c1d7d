/** Aggregates from edge to edge through a transit router that admits them, with signed messages. */
import { randomBytes } from "node:crypto";
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RsvpSessionView, RsvpView } from "../../src/control/views.js";
import { type Background, openLab } from "../../src/lab/lab.js";
import { dscp, kilobitsPerSecond } from "../../src/model/units.js";
import { TROUBLE } from "../rsvp/tshark.js";
import { copyConfigs, type Edits } from "./support/configs.js";
import { ROOT } from "./support/root.js";
import { takeSlots } from "./support/slots.js";
import { untilNothing } from "./support/until.js";

const REFRESH_MS = 1000;
/** RFC 2205 §3.7 with K = 3. */
const LIFETIME_MS = 5.25 * REFRESH_MS;
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

const lab = openLab({ prefix: `t${process.pid}rsvp`, root: ROOT });
const capture = `/tmp/sluice-${lab.prefix}.pcap`;
let configs = "";
let tcpdump: Background | undefined;
let release: () => void = () => undefined;

beforeAll(async () => {
  release = await takeSlots(1);
  configs = copyConfigs(speaking("r1", "r2", 1, "400 kbit/s"), speaking("r2", "r1", 2, "240 kbit/s"));
  copyFileSync(join(ROOT, "test/lab/rsvp/t.yaml"), join(configs, "t.yaml"));
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

/** Layer 2: 14 octets more for every 200. */
const CLASS_RATES = ["256800bit", "428Kbit"];

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
    for (const device of ["r1", "r2"]) {
      expect(Object.values(await classesOfT(device)).sort(), device).toEqual(CLASS_RATES);
    }
    const view = await rsvp("t");
    expect(view).toMatchObject({ transport: "raw", refresh: REFRESH_MS });
    expect(view.interfaces).toEqual([
      { name: "r1", up: true, room: 1e6, reserved: 240_000 },
      { name: "r2", up: true, room: 1e6, reserved: 400_000 },
    ]);
    expect(await lab.ask("t", "/v1/health")).toMatchObject([{ status: "ok" }]);
  });

  test("an edge that comes back has its aggregate within a second of its first Path", async () => {
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
    expect(took, "seconds from the first Path to the Resv").toBeLessThan(1);
  });

  test("T, killed and started, agrees with the edges again within two refreshes, its class in place meanwhile", async () => {
    const before = await classesOfT("r2");
    await script("stop", "t", "KILL");
    expect(await classesOfT("r2")).toEqual(before);
    await script("start", "t");
    // A refresh is at most 1.5 R away, and a neighbour's first message after the start goes into the handshake (RFC 2747
    // §4.3); the rest is for the machine.
    expect(await untilAgreed(10_000)).toBeLessThan(2 * 1.5 * REFRESH_MS + 1500);
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

/**
 * A pool between two communities that the network reserves: it follows the calls, from policy server to kernel and back. The
 * callee's policy server asks first (step 14 of the ladder), so both directions grow before the caller's was asked.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KernelClassView, KernelView, PoolView, RsvpView } from "../../src/control/views.js";
import type { Edits } from "./support/configs.js";
import { expectNothingLeft, expectSettled } from "./support/expectations.js";
import { TestLab } from "./support/test-lab.js";
import { untilNothing } from "./support/until.js";

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
/** Without calls there is not room for one of G.711 (86 kbit/s), and with one for no other. */
const SIZING = {
  floor: "50 kbit/s",
  ceiling: "350 kbit/s",
  step: "100 kbit/s",
  hold: "3 s",
  growTimeout: "1 s",
  retry: "1 s",
};
const policy = [
  [["communities"], COMMUNITIES],
  [["pools"], [{ name: "voice", id: 1, from: "a", to: "b", class: "voice", reserve: "rsvp", sizing: SIZING }]],
  [["classes"], [{ name: "voice", phb: "EF", outOfProfile: "drop", packetSize: 200 }]],
] as const;
const speaking = (address: string) =>
  [
    [["rsvp"], { transport: "raw", refresh: "1 s", address, interfaces: [{ name: "core", room: "2 Mbit/s" }] }],
  ] as const;
const EDITS: Edits = { pol1: policy, pol2: policy, r1: speaking("10.1.0.1"), r2: speaking("10.3.0.1") };
const TRANSIT = `role: router
name: t.core.example
state: \${SLUICE_LAB}/t
control: \${SLUICE_LAB}/run/t.sock
kernel:
  interfaces:
    - { name: r1, rate: 10 Mbit/s, signalling: 256 kbit/s }
    - { name: r2, rate: 10 Mbit/s, signalling: 256 kbit/s }
rsvp:
  transport: raw
  refresh: 1 s
  interfaces:
    - { name: r1, room: 1 Mbit/s }
    - { name: r2, room: 1 Mbit/s }
`;

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({ edits: [EDITS], topology: ["--transit"], files: { "t.yaml": TRANSIT } });
}, 300_000);
afterAll(() => lab?.down());

interface Reserved {
  /** What both policy servers believe, layer 2. */
  readonly pools: readonly number[];
  /** What the three routers hold in both directions, layer 3. */
  readonly granted: readonly number[];
  /** What the kernels guarantee towards the next router, layer 2: R1 and R2 the pool, T both directions. */
  readonly classes: readonly number[];
}

const ROUTERS = ["r1", "t", "r2"];
const TOWARDS_NEXT: Readonly<Record<string, readonly string[]>> = { r1: ["core"], t: ["r1", "r2"], r2: ["core"] };

async function classesOf(router: string): Promise<readonly number[]> {
  const [view] = await lab.lab.ask(router, "/v1/show/kernel");
  const { classes } = view as unknown as KernelView;
  const isOnTheWay = ({ kind, interface: name }: KernelClassView): boolean =>
    kind === "pool" && (TOWARDS_NEXT[router] ?? []).includes(name);
  return classes.filter(isOnTheWay).map(({ rate }) => rate);
}

async function reserved(): Promise<Reserved> {
  const pools = await Promise.all((["pol1", "pol2"] as const).map((role) => lab.view<PoolView>(role, "pools")));
  const routers = await Promise.all(ROUTERS.map((role) => lab.lab.ask(role, "/v1/show/rsvp")));
  const sessions = routers.flatMap(([view]) => (view as unknown as RsvpView).sessions);
  return {
    pools: pools.map((list) => list.find(({ name }) => name === "voice")?.reserved ?? 0),
    granted: sessions.map(({ granted }) => granted ?? 0),
    classes: (await Promise.all(ROUTERS.map(classesOf))).flat(),
  };
}

/** One at each edge, and at T one for each direction at least. */
const [EDGE_CLASSES, T_CLASSES] = [2, 2];
/** Routers count at layer 3: a little less than the pool, and more than any smaller size of it. Classes are never smaller. */
const STEP = 50_000;

function untilReserved(rate: number): Promise<void> {
  const isGranted = (value: number): boolean => value <= rate && value > rate - STEP;
  const isGuaranteed = (value: number): boolean => value >= rate && value < rate + STEP;
  return untilNothing(`${rate} bit/s to be reserved on the whole way`, async () => {
    const { pools, granted, classes } = await reserved();
    return [
      ...(pools.every((value) => value === rate) ? [] : [`policy servers have ${pools}`]),
      ...(granted.length === 6 && granted.every(isGranted) ? [] : [`routers have ${granted}`]),
      ...(classes.length >= EDGE_CLASSES + T_CLASSES && classes.every(isGuaranteed) ? [] : [`kernels have ${classes}`]),
    ];
  });
}

test("grows for a call that it has no room for, along the whole way, and becomes smaller after it", async () => {
  await untilReserved(50_000);
  const call = await lab.callWithMedia(["--seconds", "6"]);
  await untilReserved(150_000);
  await expectSettled(lab, call);
  await expectNothingLeft(lab);
  await untilReserved(50_000);
  expect((await reserved()).pools).toEqual([50_000, 50_000]);
});

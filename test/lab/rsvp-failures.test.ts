/**
 * A reserved pool between two edges that know each other by IPv6 addresses, and what fails on its way: routers that are killed under
 * a call, a core link that is cut, a hop that knows no RSVP.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KernelClassView, KernelView, PoolView, RsvpSessionView, RsvpView } from "../../src/control/views.js";
import type { Edits } from "./support/configs.js";
import { expectAssured, expectNothingLeft, expectUsage } from "./support/expectations.js";
import { IPV6 } from "./support/pcaps.js";
import { callWithMediaAt } from "./support/sipp.js";
import { TestLab } from "./support/test-lab.js";
import { until, untilNothing } from "./support/until.js";

const REFRESH_MS = 1500;
/** RFC 2205 §3.7 with K = 3. */
const LIFETIME_MS = 5.25 * REFRESH_MS;
/** What a busy machine takes to look. */
const MACHINE_MS = 5000;
const EDGE = { r1: "fd01::1", r2: "fd03::1" } as const;
const CORE = { r1: "fd02:0:0:1::1", r2: "fd02:0:0:2::1" } as const;
/** Layer 2: room for a call of G.711 over IPv6. */
const POOL = 200_000;

const CALL_SECONDS = 6;
const PACKETS_PER_SECOND = 50;

const COMMUNITIES = [
  { name: "a", prefixes: ["10.1.0.0/24", "fd01::/64"], domains: ["a.example"], router: "r1.a.example", edge: EDGE.r1 },
  { name: "b", prefixes: ["10.3.0.0/24", "fd03::/64"], domains: ["b.example"], router: "r2.b.example", edge: EDGE.r2 },
];
const policy = [
  [["communities"], COMMUNITIES],
  [["pools"], [{ name: "voice", id: 1, from: "a", to: "b", class: "voice", reserve: "rsvp", rate: "200 kbit/s" }]],
  [["classes"], [{ name: "voice", phb: "EF", outOfProfile: "drop", packetSize: 220 }]],
] as const;
const speaking = (address: string) =>
  [
    [["rsvp"], { transport: "raw", refresh: "1500 ms", address, interfaces: [{ name: "core", room: "2 Mbit/s" }] }],
  ] as const;
const EDITS: Edits = { pol1: policy, pol2: policy, r1: speaking(EDGE.r1), r2: speaking(EDGE.r2) };
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
  refresh: 1500 ms
  interfaces:
    - { name: r1, room: 1 Mbit/s }
    - { name: r2, room: 1 Mbit/s }
`;

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({ edits: [EDITS], topology: ["--transit"], files: { "t.yaml": TRANSIT } });
}, 300_000);
afterAll(() => lab?.down());

type Router = "r1" | "t" | "r2";
/** Interfaces of each router towards the others. */
const INWARDS: Readonly<Record<Router, readonly string[]>> = { r1: ["core"], t: ["r1", "r2"], r2: ["core"] };

async function pools(): Promise<readonly number[]> {
  const views = await Promise.all((["pol1", "pol2"] as const).map((role) => lab.view<PoolView>(role, "pools")));
  return views.map((list) => list.find(({ name }) => name === "voice")?.reserved ?? 0);
}

async function sessionsOf(router: Router): Promise<readonly RsvpSessionView[]> {
  const [view] = await lab.lab.ask(router, "/v1/show/rsvp");
  return (view as unknown as RsvpView).sessions;
}

/** Classes that HTB has for pools and reservations towards the other routers; rates at layer 2. */
async function classesOf(router: Router): Promise<readonly KernelClassView[]> {
  const [view] = await lab.lab.ask(router, "/v1/show/kernel");
  const { classes } = view as unknown as KernelView;
  return classes.filter(({ kind, interface: name }) => kind === "pool" && INWARDS[router].includes(name));
}

/** Layer 3 is a little less than layer 2, and a class a little more than what it has to guarantee. */
const isGranted = (rate: number | undefined): boolean => rate !== undefined && rate <= POOL && rate > 0.9 * POOL;
const isGuaranteed = (rate: number): boolean => rate >= POOL && rate < 1.1 * POOL;

/** What policy servers, routers and kernels do not agree about. */
async function disagreements(routers: readonly Router[] = ["r1", "t", "r2"]): Promise<readonly string[]> {
  const reserved = await pools();
  const found = await Promise.all(
    routers.map(async (router) => {
      const [sessions, classes] = await Promise.all([sessionsOf(router), classesOf(router)]);
      const granted = sessions.map((session) => session.granted);
      return [
        ...(granted.length === 2 && granted.every(isGranted) ? [] : [`${router} has granted ${granted}`]),
        ...INWARDS[router]
          .filter((name) => !classes.some((each) => each.interface === name))
          .map((name) => `${router} has no class on ${name}`),
        ...classes
          .filter(({ rate }) => !isGuaranteed(rate))
          .map((each) => `${router} has a class of ${each.rate} on ${each.interface}`),
      ];
    }),
  );
  return [...(reserved.every((rate) => rate === POOL) ? [] : [`policy servers have ${reserved}`]), ...found.flat()];
}

/** @returns the milliseconds that it took */
async function untilAgreed(): Promise<number> {
  const began = Date.now();
  await untilNothing(
    `${POOL} bit/s on the whole way`,
    () => disagreements().catch((error: unknown) => [String(error)]),
    {
      every: 20,
    },
  );
  return Date.now() - began;
}

const ip = (host: Router, line: string): Promise<string> => lab.lab.exec(host, ["ip", ...line.split(" ")]);

test("edges are known by IPv6 addresses, and the pool is reserved on the whole way", async () => {
  await untilAgreed();
  const sessions = await sessionsOf("t");
  expect(sessions.map(({ role, sender, destination }) => [role, sender, destination]).sort()).toEqual([
    ["transit", EDGE.r1, EDGE.r2],
    ["transit", EDGE.r2, EDGE.r1],
  ]);
});

test.each(["t", "r1", "r2"] as const)(
  "%s, killed under a call over IPv6, costs it no mark; and all agree again within a refresh of its return",
  async (router) => {
    const began = Date.now();
    const call = callWithMediaAt(lab, IPV6, CALL_SECONDS);
    const media = (to: "uas" | "uac") => lab.captures.media(to, began, { addresses: IPV6 });
    try {
      await until("media both ways", async () => {
        const both = await Promise.all([media("uas"), media("uac")]);
        return both.every(({ received }) => received.length >= 10);
      });
      await lab.script(["stop", router, "KILL"]);
      expect(await pools(), "what the policy servers have meanwhile").toEqual([POOL, POOL]);
      await lab.script(["start", router]);
      // A neighbour's refresh is at most 1.5 R away; the rest is for the machine.
      expect(await untilAgreed(), "milliseconds").toBeLessThan(1.5 * REFRESH_MS + MACHINE_MS);
    } finally {
      // The next one takes the same ports.
      await call.catch(() => undefined);
    }
    const session = await call;
    const [toCallee, toCaller] = await Promise.all([media("uas"), media("uac")]);
    expectAssured("to the callee", toCallee);
    expectAssured("to the caller", toCaller);
    expect(toCallee.sent.length).toBeGreaterThan((CALL_SECONDS - 1) * PACKETS_PER_SECOND);
    await expectNothingLeft(lab);
    await expectUsage(lab, session);
  },
);

describe("a core link that is cut for longer than reservations live", () => {
  const WITHIN_MS = 3000;

  test("takes the pool back at both policy servers, and what T held", async () => {
    await ip("t", "link set r1 down");
    // R1 sees that its link carries nothing; R2 that nobody sends any more.
    await untilNothing(
      "the pool to be taken back",
      async () => (await pools()).filter((rate) => rate > 0).map(String),
      {
        within: LIFETIME_MS + WITHIN_MS,
      },
    );
    await untilNothing(
      "T to forget",
      async () => [
        ...(await sessionsOf("t")).map(({ sender, granted }) => `${sender}: ${granted}`),
        ...(await classesOf("t")).map(({ rate }) => `class of ${rate}`),
      ],
      { within: LIFETIME_MS + WITHIN_MS },
    );
  });

  test("gives it back when it is healed", async () => {
    for (const line of [
      "link set r1 up",
      "addr add fd02:0:0:1::2/64 dev r1 nodad",
      "route add 10.1.0.0/24 via 10.2.1.1",
      "route add fd01::/64 via fd02:0:0:1::1",
    ]) {
      await ip("t", line);
    }
    await untilAgreed();
  });
});

test("a hop that knows no RSVP is passed over: the edges are neighbours", async () => {
  await lab.script(["stop", "t"]);
  await untilNothing("the edges to be neighbours", async () => {
    const [one, other] = await Promise.all([sessionsOf("r1"), sessionsOf("r2")]);
    const hops = [...one.map((each) => ["r2", each] as const), ...other.map((each) => ["r1", each] as const)];
    return hops
      .filter(([far, { nextHop, previousHop }]) => (nextHop ?? previousHop) !== CORE[far])
      .map(([far, session]) => `towards ${far}: ${JSON.stringify(session)}`);
  });
  await untilNothing("both edges to have it", () => disagreements(["r1", "r2"]));
});

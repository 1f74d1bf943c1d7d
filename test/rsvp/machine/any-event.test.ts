/** A node under any events, also such as no neighbour would send: every one is answered, and nothing grows without limit. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BytesPerSecond, Millis, Octets } from "../../../src/model/units.js";
import { badValue, unknownCType } from "../../../src/rsvp/codec/errors.js";
import type { FlowDescriptors, SessionMessage } from "../../../src/rsvp/codec/message.js";
import type { Flowspec, Session } from "../../../src/rsvp/codec/objects.js";
import { genericAggregateSession } from "../../../src/rsvp/machine/aggregate.js";
import type { NodeEvent } from "../../../src/rsvp/machine/events.js";
import { RsvpNode } from "../../../src/rsvp/machine/node.js";
import { DEFAULT_RULES } from "../../../src/rsvp/machine/rules.js";
import type { Route } from "../../../src/rsvp/machine/state.js";
import { B, load, SESSION, tspec } from "./network.js";

const RULES = { ...DEFAULT_RULES, maxSessions: 3, maxSenders: 2, maxReservations: 3 };
const udp = (port: number): Session => ({ kind: "ip", destination: B, protocol: 17, port, ePolice: true });

const session = fc.constantFrom<Session>(
  SESSION,
  SESSION,
  SESSION,
  udp(0),
  udp(7),
  genericAggregateSession("10.0.3.3", B, 1, 2),
);
const filter = fc.record({ address: fc.constantFrom("10.0.1.1", "10.0.1.2"), port: fc.constant(9) });
const filters = fc.uniqueArray(filter, {
  minLength: 1,
  maxLength: 3,
  selector: ({ address, port }) => `${address} ${port}`,
});
const hop = fc.record({ address: fc.constantFrom("10.0.1.9", "10.0.2.9"), lih: fc.constantFrom(1, 2, 2, 99) });
const flowspec: fc.Arbitrary<Flowspec> = fc.oneof(
  fc.integer({ min: 1, max: 9000 }).map(load),
  fc.integer({ min: 1, max: 9000 }).map((rate) => {
    const R = (rate + 1) as BytesPerSecond;
    return { kind: "guaranteed" as const, tspec: tspec(rate), rate: R, slackMicros: rate % 7 };
  }),
);
const flows: fc.Arbitrary<FlowDescriptors> = fc.oneof(
  flowspec.map((each) => ({ style: "WF" as const, flowspec: each })),
  fc.tuple(filters, flowspec).map(([each, spec]) => ({ style: "SE" as const, flowspec: spec, filters: each })),
  fc.tuple(filters, fc.array(flowspec, { minLength: 3, maxLength: 3 })).map(([each, specs]) => ({
    style: "FF" as const,
    flows: each.map((one, index) => ({ filter: one, flowspec: specs[index]! })),
  })),
);
const errored = fc.oneof(
  fc.tuple(filters, flowspec).map(([each, spec]) => ({ style: "SE" as const, filters: each, flowspec: spec })),
  filter.map((each) => ({ style: "FF" as const, filters: [each] })),
  flowspec.map((spec) => ({ style: "WF" as const, flowspec: spec })),
  fc.constant({ style: "unknown" as const, optionVector: 7 }),
);
const error = fc.record({
  node: fc.constant(B),
  flags: fc.nat(3),
  code: fc.constantFrom(0, 1, 2, 3, 12, 26),
  value: fc.constantFrom(2, 102),
});
const refreshPeriod = fc.constantFrom(0, 30_000, 30_000, 30_000, 0xffffffff) as fc.Arbitrary<Millis>;
const sender = fc.record({ template: filter, tspec: fc.integer({ min: 1, max: 9000 }).map(tspec) });
const torn = fc.oneof(
  filters.map((each) => ({ style: "FF" as const, filters: each })),
  fc.constant({ style: "WF" as const }),
);

const empty = { policy: fc.constant([]), unknown: fc.constant([]) };
const path = fc.record({ kind: fc.constant("Path" as const), session, hop, refreshPeriod, sender, ...empty });
const confirm = fc.constant(B);
const resv = fc.record({ kind: fc.constant("Resv" as const), session, hop, refreshPeriod, flows, confirm, ...empty });
const message: fc.Arbitrary<SessionMessage> = fc.oneof(
  { weight: 6, arbitrary: path },
  { weight: 12, arbitrary: resv },
  fc.record({ kind: fc.constant("PathErr" as const), session, error, sender, ...empty }),
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("ResvErr" as const), session, hop, error, flows: errored, ...empty }),
  },
  fc.record({ kind: fc.constant("PathTear" as const), session, hop, template: filter, ...empty }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("ResvTear" as const), session, hop, flows: torn, ...empty }) },
  fc.record({ kind: fc.constant("ResvConf" as const), session, error, confirm, flows, ...empty }),
);
const name = fc.constantFrom("a", "b", "b", "nowhere");
const arrival = fc.record({
  interface: name,
  source: fc.constant(B),
  ttl: fc.constantFrom(0, 1, 64),
  sendTtl: fc.constantFrom(1, 64),
});
const route = fc.constantFrom<Route>(
  { kind: "interface", name: "b" },
  { kind: "interface", name: "b" },
  { kind: "local" },
  { kind: "none" },
  { kind: "interface", name: "a" },
  { kind: "interface", name: "b" },
);
const ref = fc.record({ session, interface: name, flow: fc.constantFrom("*", "10.0.1.1 9", "10.0.1.2 9") });
const lih = { a: 1, b: 2, nowhere: 3 };

const interfaceUp = (each: keyof typeof lih): NodeEvent => ({
  type: "interface",
  interface: { name: each, addresses: [`10.0.${lih[each]}.1`], lih: lih[each], mtu: 1500 as Octets },
});

const event: fc.Arbitrary<NodeEvent> = fc.oneof(
  { weight: 60, arbitrary: fc.record({ type: fc.constant("received" as const), message, arrival }) },
  fc.record({ type: fc.constant("unreadable" as const), arrival, error: unreadable() }),
  fc.record({ type: fc.constant("open" as const), session, sender }),
  fc.record({ type: fc.constant("close" as const), session, template: filter }),
  fc.record({ type: fc.constant("complain" as const), session, template: filter, error }),
  fc.record({ type: fc.constant("reserve" as const), session, flows, confirm: fc.constant(B) }),
  fc.record({ type: fc.constant("release" as const), session }),
  fc.record({
    type: fc.constant("routeChanged" as const),
    destination: fc.constantFrom(B, "10.0.3.3", "10.7.7.7"),
    route,
  }),
  name.map((each) => interfaceUp(each as "a")),
  fc.record({ type: fc.constant("interfaceLost" as const), name }),
  fc.record({
    type: fc.constant("resized" as const),
    name,
    room: fc.integer({ min: 500, max: 20_000 }) as fc.Arbitrary<BytesPerSecond>,
  }),
  fc.record({ type: fc.constant("preempt" as const), ref, granted: flowspec }),
  fc.record({
    type: fc.constant("admission" as const),
    ref,
    id: fc.nat(9),
    verdict: fc.constant({ admit: true } as const),
  }),
  fc.record({
    type: fc.constant("refreshPeriod" as const),
    period: fc.constantFrom(1000, 90_000) as fc.Arbitrary<Millis>,
  }),
  { weight: 3, arbitrary: fc.constant({ type: "due" as const }) },
);

function unreadable() {
  const place = { offset: 0, object: "x" };
  return fc.oneof(
    fc.constant(badValue("x", place)),
    fc.constant(unknownCType("x", 1, 2, 0)),
    fc
      .record({ session, hop, flows: errored })
      .map((each) => unknownCType("x", 1, 2, 0).within({ kind: "Resv", ...each })),
    fc.record({ session, hop, sender }).map((each) => unknownCType("x", 1, 2, 0).within({ kind: "Path", ...each })),
  );
}

describe("any event", () => {
  it("is answered, keeps limits, and leaves a timer that is not in the past", () => {
    const steps = fc.array(fc.tuple(event, fc.oneof({ weight: 15, arbitrary: fc.nat(50) }, fc.nat(200_000))), {
      maxLength: 60,
      size: "max",
    });
    fc.assert(
      fc.property(steps, fc.boolean(), (events, routed) => {
        const node = new RsvpNode(RULES);
        for (const each of ["a", "b"] as const) node.step(interfaceUp(each), { now: 0, random: 0 });
        let now = 0;
        let due = Number.POSITIVE_INFINITY;
        let open: NodeEvent[] = [];
        const step = (next: NodeEvent): void => {
          for (const action of node.step(next, { now, random: 0.3 })) {
            if (action.do === "schedule") due = action.at;
            if (action.do === "resolve" && routed) {
              const via = { kind: "interface", name: "b" } as const;
              open.push({ type: "routeChanged", destination: action.destination, route: via });
            }
            if (action.do !== "reserve") continue;
            const admit = (action.id + now) % 3 > 0;
            const verdict = admit ? { admit } : { admit, error: { code: 1, value: 2 } };
            open.push({ type: "admission", ref: action.ref, id: action.id, verdict });
          }
        };
        for (const [next, wait] of events) {
          now += wait;
          step(next);
          if (next.type === "due") expect(due).toBeGreaterThan(now);
          // Some answers of traffic control come at once, some later.
          const answered = open.filter((_, index) => (index + wait) % 2 === 0);
          open = open.filter((each) => !answered.includes(each));
          for (const each of answered) step(each);
          for (const state of node.sessions()) {
            const styles = new Set([...state.reservations.values()].map(({ style }) => style));
            const isTooMuch =
              state.paths.size > RULES.maxSenders + openedHere(state.paths) ||
              state.reservations.size > RULES.maxReservations ||
              styles.size > 1;
            if (isTooMuch)
              expect.fail(`${state.paths.size} paths, ${state.reservations.size} reservations, ${styles.size} styles`);
          }
        }
        // What neighbours left ends by itself; what is open here stays.
        for (let turn = 0; turn < 60; turn += 1) {
          now += 60_000;
          node.step({ type: "due" }, { now, random: 0.3 });
        }
        for (const state of node.sessions()) {
          for (const each of state.paths.values()) expect(each.from.kind).toBe("local");
          for (const each of state.reservations.values()) expect(each.to.kind).toBe("local");
        }
      }),
      { numRuns: 1000 },
    );
  });
});

const openedHere = (paths: ReadonlyMap<string, { readonly from: { readonly kind: string } }>): number =>
  [...paths.values()].filter(({ from }) => from.kind === "local").length;

/** What `show rsvp` and `health` tell of a router's reservations. */
import type { RsvpConfig } from "../config/rsvp.js";
import type { RsvpSessionView, RsvpView } from "../control/views.js";
import { type BitsPerSecond, bitsPerSecond } from "../model/units.js";
import { type AggregateName, describeName } from "../pep/router/rsvp/aggregate-name.js";
import { sessionDscp } from "../pep/router/rsvp/reservation-ends.js";
import { floorBits } from "../pep/router/rsvp/sizes.js";
import type { RsvpSpeaker } from "../pep/router/rsvp/speaker.js";
import { filterKey } from "../rsvp/codec/keys.js";
import { bandwidthOf } from "../rsvp/machine/flowspec-algebra.js";
import type { Neighbour, RemoteNeighbour } from "../rsvp/machine/keys.js";
import { isRemote, type PathState, type SessionState } from "../rsvp/machine/state.js";

export function rsvpView(speaker: RsvpSpeaker, { interfaces, refresh }: RsvpConfig): RsvpView {
  const { node, driver, control, watch } = speaker;
  const states = [...node.sessions()];
  return {
    transport: driver?.endpoint?.transport?.kind ?? "none",
    refresh,
    interfaces: interfaces.map(({ name, room }) => ({
      name,
      up: watch.attached.has(name),
      room: speaker.rooms.get(name) ?? room,
      reserved: control.reserved(name),
    })),
    sessions: states.flatMap((state) => [...state.paths.values()].map((path) => sessionView(speaker, state, path))),
    neighbours: neighboursOf(states),
    counters: countersOf(speaker),
  };
}

/** What is wrong now, one sentence each. */
export function rsvpProblems(speaker: RsvpSpeaker, { transport, interfaces }: RsvpConfig): readonly string[] {
  const kind = speaker.driver?.endpoint?.transport?.kind;
  const isMakeshift = kind === "udp" && transport !== "udp";
  const missing = interfaces.filter(({ name }) => !speaker.watch.attached.has(name));
  return [
    ...(isMakeshift
      ? ["RSVP goes by UDP only: raw sockets do not work here, so that only such neighbours hear it"]
      : []),
    ...missing.map(({ name }) => `RSVP is not spoken on interface ${name}: it is down, missing or without an address`),
    ...[...speaker.outgoing.values()].flatMap(({ wish, end }) => problem(`to ${wish.remote}`, wish.name, end.failure)),
    ...[...speaker.incoming.values()].flatMap(({ template, name, end }) =>
      problem(`from ${template.address}`, name, end.failure),
    ),
  ];
}

const problem = (where: string, name: AggregateName, failure: string | undefined): string[] =>
  failure === undefined ? [] : [`the aggregate of ${describeName(name)} ${where} is not as wanted: ${failure}`];

/** A sender as it is now. */
export function sessionView(speaker: RsvpSpeaker, state: SessionState, path: PathState): RsvpSessionView {
  const { session } = state;
  const sender = path.template.address;
  const end = endOf(speaker, state, path);
  const dscp = sessionDscp(session);
  const next = nextHopOf(state, path);
  return {
    role: roleOf(state, path),
    sender,
    destination: session.destination,
    ...(dscp === undefined ? {} : { dscp }),
    ...end,
    wanted: bitsPerSecond(Math.ceil(path.tspec.rate * 8)),
    granted: end?.granted ?? admittedOf(state, path),
    ...(isRemote(path.from) ? { previousHop: path.from.hop.address } : {}),
    ...(next === undefined ? {} : { nextHop: next.hop.address }),
    ...(state.route.kind === "interface" ? { interface: state.route.name } : {}),
  };
}

function roleOf({ route }: SessionState, { from }: PathState): RsvpSessionView["role"] {
  if (from.kind === "local") return "aggregator";
  return route.kind === "local" ? "deaggregator" : "transit";
}

type EndView = Pick<RsvpSessionView, "granted" | "failure" | "pool">;

/** What this router knows more of an aggregate that has an end here. */
function endOf(speaker: RsvpSpeaker, { session }: SessionState, { template, from }: PathState): EndView | undefined {
  const outgoing = from.kind === "local" ? speaker.outgoing.find(session, template) : undefined;
  const found = outgoing?.end ?? speaker.incoming.find(session, template)?.end;
  if (found === undefined) return undefined;
  const { granted, failure } = found;
  const pool = outgoing?.wish.pool;
  return { granted, ...(failure === undefined ? {} : { failure }), ...(pool === undefined ? {} : { pool }) };
}

/** What traffic control keeps for the sender on the way out. */
function admittedOf({ effective }: SessionState, { template }: PathState): BitsPerSecond {
  const key = filterKey(template);
  for (const { admitted, filters } of effective.values()) {
    if (admitted !== undefined && filters.some((filter) => filterKey(filter) === key)) {
      return floorBits(bandwidthOf(admitted));
    }
  }
  return bitsPerSecond(0);
}

function nextHopOf({ reservations }: SessionState, { template }: PathState): RemoteNeighbour | undefined {
  const key = filterKey(template);
  return [...reservations.values()]
    .filter(({ filters }) => filters.some((filter) => filterKey(filter) === key))
    .map(({ to }) => to)
    .find(isRemote);
}

export function neighboursOf(states: readonly SessionState[]): RsvpView["neighbours"] {
  const found = new Map<string, { address: string; interface: string; sessions: number }>();
  for (const { paths, reservations } of states) {
    const ends: Neighbour[] = [
      ...[...paths.values()].map(({ from }) => from),
      ...[...reservations.values()].map(({ to }) => to),
    ];
    const here = new Map(ends.filter(isRemote).map((end) => [`${end.hop.address} ${end.interface}`, end]));
    for (const [key, { hop, interface: name }] of here) {
      const before = found.get(key)?.sessions ?? 0;
      found.set(key, { address: hop.address, interface: name, sessions: before + 1 });
    }
  }
  return [...found.values()];
}

/** Of the transport, the endpoint, and what the node ignored. */
export function countersOf({ driver }: RsvpSpeaker): Readonly<Record<string, number>> {
  const ignored = [...(driver?.ignored ?? [])].map(([what, count]) => [`ignored: ${what}`, count] as const);
  return {
    ...driver?.endpoint?.transport?.counts(),
    ...Object.fromEntries(driver?.endpoint?.counters.all() ?? []),
    ...Object.fromEntries(ignored),
  };
}

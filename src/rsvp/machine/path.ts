/** Path state: Path, PathTear and PathErr messages, local senders, routes. RFC 2205 §3.1.3, §3.1.5, §3.1.7, §3.6. */
import { isDeepStrictEqual } from "node:util";
import { RSVP_ERROR } from "../codec/codes.js";
import type { ErrorAnswer } from "../codec/errors.js";
import { filterKey } from "../codec/keys.js";
import type {
  ErroredSender,
  PathErrMessage,
  PathMessage,
  PathTearMessage,
  SenderDescriptor,
} from "../codec/message.js";
import type { Hop, SenderTemplate } from "../codec/objects.js";
import { advertise } from "./advertise.js";
import { crossedNonRsvp, type Draft, ignore, notify, sendToHop, TTL } from "./draft.js";
import { hopOf, isEndToEnd, isStray, pathCrosses } from "./e2e.js";
import type { Arrival, LocalCall, NodeAction, RsvpInterface } from "./events.js";
import { LOCAL, neighbourKey, type RemoteNeighbour } from "./keys.js";
import { dropLocal, dropSender } from "./reservations.js";
import { lifetime, nextPeriod, refreshDelay } from "./rules.js";
import type { PathState, Route } from "./state.js";

const NEVER = Number.POSITIVE_INFINITY;

export function onPath(draft: Draft, message: PathMessage, arrival: Arrival): void {
  const from: RemoteNeighbour = { kind: "remote", interface: arrival.interface, hop: message.hop };
  const { sender } = message;
  const before = draft.paths.get(filterKey(sender.template));
  if (before?.from.kind === "local") {
    ignore(draft, "Path of a sender on this node");
    return;
  }
  if (isStray(before, arrival, draft.node)) {
    ignore(draft, "Path by a router of the region, of a session that crosses it");
    return;
  }
  const fault = pathFault(draft, sender, before);
  if (fault !== undefined) {
    sendPathErr(draft, from, fault, sender);
    return;
  }
  upsert(draft, {
    template: sender.template,
    tspec: sender.tspec,
    ...(sender.adspec === undefined ? {} : { adspec: sender.adspec }),
    policy: message.policy,
    unknown: message.unknown,
    from,
    ttl: arrival.ttl - 1,
    // RFC 3175 §1.4.5: the routers of a region do their part for the aggregate.
    nonRsvpHop: arrival.endToEnd !== true && crossedNonRsvp(arrival),
    entryPolicing: message.session.ePolice,
    ...(isEndToEnd(draft.session, arrival, draft.node.interfaces.get(arrival.interface)) ? { endToEnd: true } : {}),
    expires: draft.now + lifetime(draft.node.rules, message.refreshPeriod),
    refreshAt: before?.refreshAt ?? NEVER,
    period: before?.period ?? draft.node.rules.refreshPeriod,
  });
}

function pathFault(draft: Draft, sender: SenderDescriptor, before: PathState | undefined): ErrorAnswer | undefined {
  if (before !== undefined) return undefined;
  const { port } = sender.template;
  for (const { template } of draft.paths.values()) {
    // §3.2 (3): path state is all with a source port or all without.
    if ((template.port === 0) !== (port === 0)) return { code: RSVP_ERROR.conflictingSenderPorts, value: 0 };
  }
  if (draft.paths.size >= draft.node.rules.maxSenders) return { code: RSVP_ERROR.rsvpSystem, value: 0 };
  return undefined;
}

export function onOpen(draft: Draft, call: Extract<LocalCall, { type: "open" }>): void {
  const { template, tspec, adspec } = call.sender;
  const before = draft.paths.get(filterKey(template));
  upsert(draft, {
    template,
    tspec,
    ...(adspec === undefined ? {} : { adspec }),
    policy: call.policy ?? [],
    unknown: [],
    from: LOCAL,
    ttl: TTL,
    nonRsvpHop: false,
    entryPolicing: true,
    expires: NEVER,
    refreshAt: before?.refreshAt ?? NEVER,
    period: before?.period ?? draft.node.rules.refreshPeriod,
  });
}

function upsert(draft: Draft, path: PathState): void {
  const key = filterKey(path.template);
  const before = draft.paths.get(key);
  draft.paths.set(key, path);
  if (before !== undefined && sameSender(before, path)) return;
  // §3.6: a new previous hop gets Resv refreshes at once; the comparison with what it was told does that.
  if (before === undefined || neighbourKey(before.from) !== neighbourKey(path.from)) draft.upstream = true;
  // The senders' TSpecs bound what is installed (RFC 2210 §2.2).
  for (const effective of draft.effective.keys()) draft.touched.add(effective);
  // §3.3: a change of state is forwarded at once.
  forward(draft, key);
}

/** Equal in all that is told to others; lifetime and timers are not. */
function sameSender(a: PathState, b: PathState): boolean {
  const told = ({ tspec, adspec, policy, unknown, from, ttl, nonRsvpHop, entryPolicing }: PathState): unknown => [
    tspec,
    adspec,
    policy,
    unknown,
    neighbourKey(from),
    ttl,
    nonRsvpHop,
    entryPolicing,
  ];
  return isDeepStrictEqual(told(a), told(b));
}

/** To where the session's data goes: the next hop by a Path, or the application here. */
function forward(draft: Draft, key: string): void {
  const path = draft.paths.get(key);
  if (path === undefined) return;
  switch (draft.route.kind) {
    case "interface":
      sendPath(draft, key, path, draft.route.name);
      return;
    case "local":
      draft.paths.set(key, { ...path, refreshAt: NEVER });
      notify(draft, { what: "pathArrived", sender: descriptor(path), policy: path.policy });
      return;
    case "pending":
    case "none":
      // §3.11.4: state is kept, and goes on when there is a route.
      draft.paths.set(key, { ...path, refreshAt: NEVER });
  }
}

function descriptor({ template, tspec, adspec }: PathState): SenderDescriptor {
  return { template, tspec, ...(adspec === undefined ? {} : { adspec }) };
}

function sendPath(draft: Draft, key: string, path: PathState, name: string): void {
  const iface = draft.node.interfaces.get(name);
  const own = iface === undefined ? undefined : pathHop(draft, path, iface);
  if (iface === undefined || own === undefined || path.ttl < 1) {
    draft.paths.set(key, { ...path, refreshAt: NEVER });
    ignore(draft, path.ttl < 1 ? "Path at the end of its TTL" : "Path for an interface that is down");
    return;
  }
  const first = path.refreshAt === NEVER;
  const period = first ? path.period : nextPeriod(draft.node.rules, path.period);
  draft.paths.set(key, { ...path, period, refreshAt: draft.now + refreshDelay(period, draft.random()) });
  const adspec = path.adspec === undefined ? {} : { adspec: advertise(path.adspec, iface.mtu, path.nonRsvpHop) };
  draft.actions.push(
    downstream(path, iface, draft, {
      kind: "Path",
      session: draft.session,
      hop: own,
      refreshPeriod: period,
      policy: path.policy,
      sender: { template: path.template, tspec: path.tspec, ...adspec },
      unknown: path.unknown,
    }),
  );
}

const pathHop = (draft: Draft, path: PathState, iface: RsvpInterface): Hop | undefined =>
  hopOf(draft.session, iface, pathCrosses(draft.session, path, iface));

/** §3.1.3, §3.1.5, §3.3: like the data, from the sender to the session's destination, with Router Alert. */
function downstream(
  path: PathState,
  iface: RsvpInterface,
  draft: Draft,
  message: PathMessage | PathTearMessage,
): NodeAction {
  return {
    do: "send",
    message,
    interface: iface.name,
    destination: draft.session.destination,
    source: path.template.address,
    routerAlert: true,
    ttl: path.ttl,
    ...(pathCrosses(draft.session, path, iface) ? { endToEnd: true } : {}),
  };
}

export function onPathTear(draft: Draft, message: PathTearMessage): void {
  const key = filterKey(message.template);
  const { from } = draft.paths.get(key) ?? {};
  // §3.1.5: session, template and previous hop must match; otherwise it goes no further.
  const matches =
    from?.kind === "remote" && from.hop.address === message.hop.address && from.hop.lih === message.hop.lih;
  if (!matches) {
    ignore(draft, "PathTear without path state");
    return;
  }
  removePath(draft, key);
}

export function onClose(draft: Draft, template: SenderTemplate): void {
  const key = filterKey(template);
  if (draft.paths.get(key)?.from.kind !== "local") {
    ignore(draft, "close of a sender that is not open");
    return;
  }
  removePath(draft, key);
}

/** Removes a sender, tells downstream, and takes it out of reservations (§3.1.5). */
export function removePath(draft: Draft, key: string): void {
  const path = draft.paths.get(key);
  if (path === undefined) return;
  draft.paths.delete(key);
  draft.upstream = true;
  if (draft.route.kind === "local") notify(draft, { what: "pathLost", template: path.template });
  const iface = draft.route.kind === "interface" ? draft.node.interfaces.get(draft.route.name) : undefined;
  const own = iface === undefined ? undefined : pathHop(draft, path, iface);
  if (iface !== undefined && own !== undefined && path.ttl > 0) {
    const tear = { kind: "PathTear", session: draft.session, hop: own, template: path.template } as const;
    draft.actions.push(downstream(path, iface, draft, { ...tear, unknown: path.unknown }));
  }
  dropSender(draft, key);
}

export function onPathErr(draft: Draft, message: PathErrMessage): void {
  const path = draft.paths.get(filterKey(message.sender.template));
  if (path === undefined) {
    ignore(draft, "PathErr without path state");
    return;
  }
  // §3.1.7: to the previous hop and so on to the sender; no state changes on the way.
  if (path.from.kind === "remote") {
    sendToHop(draft, path.from, () => ({ ...message, session: draft.session }));
    return;
  }
  const { error, sender, dclass, sessionOfInterest } = message;
  notify(draft, {
    what: "pathError",
    error,
    sender,
    ...(dclass === undefined ? {} : { dclass }),
    ...(sessionOfInterest === undefined ? {} : { sessionOfInterest }),
  });
}

/** §3.1.7: an error in a Path goes back to where that came from. */
export function sendPathErr(draft: Draft, to: RemoteNeighbour, error: ErrorAnswer, sender: ErroredSender): void {
  sendToHop(draft, to, (own) => ({
    kind: "PathErr",
    session: draft.session,
    error: { node: own.address, flags: 0, ...error },
    policy: [],
    sender,
    unknown: [],
  }));
}

/** §3.1.7: the sender descriptor is that of the Path in error. The node is the one that found the error. */
export function onComplain(draft: Draft, { template, error }: Extract<LocalCall, { type: "complain" }>): void {
  const path = draft.paths.get(filterKey(template));
  if (path === undefined || path.from.kind === "local") {
    ignore(draft, "complaint to a sender that is not upstream");
    return;
  }
  const sender = descriptor(path);
  sendToHop(draft, path.from, () => ({
    kind: "PathErr",
    session: draft.session,
    error,
    policy: [],
    sender,
    unknown: [],
  }));
}

export function onRoute(draft: Draft, route: Route): void {
  if (isDeepStrictEqual(route, draft.route)) {
    ignore(draft, "route as before");
    return;
  }
  const before = draft.route;
  draft.route = route;
  if (before.kind === "local") {
    for (const { template } of draft.paths.values()) notify(draft, { what: "pathLost", template });
    dropLocal(draft);
  }
  for (const [key, path] of draft.paths) {
    if (route.kind !== "interface" || before.kind === "pending") forward(draft, key);
    // §3.6: routing may still settle; the refresh comes after W.
    else draft.paths.set(key, { ...path, refreshAt: draft.now + draft.node.rules.routeSettling });
  }
}

/** Refreshes that are due, and paths that nobody refreshed. */
export function onPathTimers(draft: Draft): void {
  for (const [key, { expires }] of [...draft.paths]) {
    if (expires <= draft.now) removePath(draft, key);
  }
  for (const [key, { refreshAt }] of [...draft.paths]) {
    if (refreshAt <= draft.now) forward(draft, key);
  }
}

/** The interface has come (back): what goes out of it goes at once. */
export function onInterfaceForPaths(draft: Draft, name: string): void {
  if (draft.route.kind !== "interface" || draft.route.name !== name) return;
  for (const key of [...draft.paths.keys()]) forward(draft, key);
}

/**
 * From provisioning instances to what the kernel should do. Follows the references of the DiffServ PIB
 * (RFC 3317) rather than our own numbering, so that another policy server may lay its rows out otherwise.
 */
import { isDeepStrictEqual } from "node:util";
import { type Prid, splitPrid, ZERO_OID } from "../../cops/pr/oid.js";
import { pib } from "../../cops/pr/pib/index.js";
import type { RowOf } from "../../cops/pr/prc.js";
import type { PriChange, PriTransaction } from "../../cops/pr/pri-store.js";
import type { PriView } from "../../cops/pr/pri-view.js";
import type { FlowId, FlowRule, OutOfProfile, PoolClass, PoolId, Tunnel, TunnelId } from "../../kernel/port.js";
import { type FlowKey, IP_PROTOCOL, type TransportProtocol } from "../../model/flow.js";
import { addressFromBytes } from "../../model/ip.js";
import type { SessionId } from "../../model/session.js";
import { dscp, kilobitsPerSecond, octets } from "../../model/units.js";
import { readTunnels, tunnelOf } from "./tunnel-view.js";

export type FlowReading =
  | { readonly ok: true; readonly rule: FlowRule }
  | { readonly ok: false; readonly text: string };

/** Of a flow that no session row names: installed by a policy server that does not know the class. */
const NO_SESSION_ROW = { session: "0".repeat(16) as SessionId, packetSize: 0, tunnel: ZERO_OID };

const fail = (text: string): FlowReading => ({ ok: false, text });

/**
 * Strings of one reading, each once: the flows of a session share its id and its addresses, and a router keeps
 * a rule for each of them.
 */
class SharedText {
  readonly #texts = new Map<string, string>();

  of<T extends string>(text: T): T {
    const known = this.#texts.get(text);
    if (known !== undefined) return known as T;
    this.#texts.set(text, text);
    return text;
  }
}

/** Classifier element `element`, followed to meter, marker and queue; undefined for a catch-all or if it is not there. */
export function readFlow(view: PriView, element: FlowId, shared = new SharedText()): FlowReading | undefined {
  const row = view.row(pib.dsClfrElement, element);
  if (row === undefined || row.specific === ZERO_OID) return undefined;
  const filter = view.follow(pib.frwkIpFilter, row.specific);
  const meter = view.follow(pib.dsMeter, row.next);
  if (filter === undefined) return fail("the element has no IP filter");
  if (meter === undefined) return fail("the element does not go on to a meter");
  const bucket = view.follow(pib.dsTBParam, meter.row.specific);
  const action = view.follow(pib.dsAction, meter.row.succeedNext);
  if (bucket === undefined || action === undefined) return fail("the meter lacks its token bucket or its action");
  const mark = view.follow(pib.dsDscpMarkAct, action.row.specific);
  const queue = view.follow(pib.dsQ, action.row.next);
  if (mark === undefined || queue === undefined) return fail("the action lacks its mark or its queue");
  const key = keyOf(filter.row, shared);
  if (typeof key === "string") return fail(key);
  const excess = excessOf(view, meter.row.failNext);
  if (typeof excess === "string") return fail(excess);
  const sessionRow = view.row(pib.sluiceSession, element) ?? NO_SESSION_ROW;
  const { session, packetSize } = sessionRow;
  const tunnel = tunnelOf(view, sessionRow);
  if (tunnel === "unknown") return fail("its tunnel is none");
  return {
    ok: true,
    // One literal: a rule that is copied and then extended takes four times its room in V8.
    rule: {
      id: element,
      session: shared.of(session),
      key,
      dscp: dscp(mark.row.dscp),
      pool: queue.instance,
      rate: kilobitsPerSecond(bucket.row.rate),
      burst: octets(bucket.row.burstSize),
      ...(packetSize === 0 ? {} : { packetSize: octets(packetSize) }),
      outOfProfile: excess,
      ...(tunnel === undefined ? {} : { tunnel }),
    },
  };
}

const PROTOCOLS = new Map<number, TransportProtocol>(
  Object.entries(IP_PROTOCOL).map(([name, number]) => [number, name as TransportProtocol]),
);

/** The key, or why the filter is not one that our maps can hold: they match exactly, but for any source port. */
function keyOf(filter: RowOf<typeof pib.frwkIpFilter>, shared: SharedText): FlowKey | string {
  const protocol = PROTOCOLS.get(filter.protocol);
  const size = filter.addrType === "ipv4" ? 4 : 16;
  if (protocol === undefined) return `protocol ${filter.protocol} is not supported`;
  if (filter.dstAddr.length !== size || filter.srcAddr.length !== size) return "an address has the wrong length";
  if (filter.dstPrefixLength !== size * 8 || filter.srcPrefixLength !== size * 8) return "prefixes are not supported";
  if (filter.dstL4PortMin !== filter.dstL4PortMax) return "destination port ranges are not supported";
  const anySource = filter.srcL4PortMin === 0 && filter.srcL4PortMax === 65535;
  if (!anySource && filter.srcL4PortMin !== filter.srcL4PortMax) return "source port ranges are not supported";
  const source = shared.of(addressFromBytes(filter.srcAddr));
  const destination = shared.of(addressFromBytes(filter.dstAddr));
  return {
    protocol,
    source: { address: source, port: anySource ? undefined : filter.srcL4PortMin },
    destination: { address: destination, port: filter.dstL4PortMin },
  };
}

const DROP: OutOfProfile = { action: "drop" };
/** One for each code point. */
const REMARK = Array.from({ length: 64 }, (_, code): OutOfProfile => ({ action: "remark", dscp: dscp(code) }));

function excessOf(view: PriView, failNext: Prid): OutOfProfile | string {
  const dropper = view.follow(pib.dsAlgDrop, failNext);
  if (dropper?.row.type === "alwaysDrop") return DROP;
  const action = view.follow(pib.dsAction, dropper?.row.next ?? failNext);
  const mark = action === undefined ? undefined : view.follow(pib.dsDscpMarkAct, action.row.specific);
  if (mark === undefined) return "excess goes neither to a dropper nor to a mark";
  return REMARK[mark.row.dscp] ?? `there is no code point ${mark.row.dscp}`;
}

/** Every queue with a guaranteed rate is a pool. */
export function readPools(view: PriView): ReadonlyMap<PoolId, PoolClass> {
  const names = new Map<number, string>();
  for (const [, { name, queue }] of view.rows(pib.sluicePool)) {
    const place = splitPrid(queue);
    if (place !== undefined) names.set(place.instance, name);
  }
  const pools = new Map<PoolId, PoolClass>();
  for (const [id, queue] of view.rows(pib.dsQ)) {
    const rate = view.follow(pib.dsMinRate, queue.minRate)?.row.absolute;
    if (rate === undefined || rate === null) continue;
    pools.set(id, { id, name: names.get(id) ?? `queue-${id}`, rate: kilobitsPerSecond(rate) });
  }
  return pools;
}

/** The pool that a row names by its sluicePool row; undefined if its queue guarantees no rate. */
export function poolNamed(view: PriView, pools: ReadonlyMap<PoolId, PoolClass>, prid: Prid): PoolId | undefined {
  const queue = view.follow(pib.sluicePool, prid)?.row.queue;
  const pool = queue === undefined ? undefined : view.follow(pib.dsQ, queue)?.instance;
  return pool === undefined || !pools.has(pool) ? undefined : pool;
}

/** What a transaction makes of flows, pools and tunnels. */
export interface PolicyReading {
  /** The flows that it touched, as they are to be; undefined for one that goes. */
  readonly touched: ReadonlyMap<FlowId, FlowRule | undefined>;
  /** All of them, as are the tunnels. */
  readonly pools: ReadonlyMap<PoolId, PoolClass>;
  readonly tunnels: ReadonlyMap<TunnelId, Tunnel>;
}

/** The reading, or why it cannot be enforced. */
export function readChanges({ after, changes }: Pick<PriTransaction, "after" | "changes">): PolicyReading | string {
  const pools = readPools(after);
  const tunnels = readTunnels(after);
  if (typeof tunnels === "string") return tunnels;
  const touched = new Map<FlowId, FlowRule | undefined>();
  const shared = new SharedText();
  for (const id of touchedFlows(after, changes)) {
    const reading = readFlow(after, id, shared);
    if (reading?.ok === false) return `flow ${id}: ${reading.text}`;
    if (reading?.ok && !pools.has(reading.rule.pool)) {
      return `flow ${id}: queue ${reading.rule.pool} guarantees no rate`;
    }
    touched.set(id, reading?.rule);
  }
  return { touched, pools, tunnels };
}

const PER_FLOW = new Set(
  [pib.dsClfrElement, pib.dsMeter, pib.dsAlgDrop, pib.frwkIpFilter, pib.frwkBaseFilter].map((prc) => prc.entry),
);
/** Rows that no flow depends on: it names its tunnel, whatever that is like. */
const NOT_OF_FLOWS = new Set([pib.sluiceAggregate, pib.sluiceTunnel].map((prc) => prc.entry));
const HARMLESS = new Set([pib.dsTBParam, pib.sluiceSession].map((prc) => prc.entry));

/**
 * The flows that a transaction may have touched. Rows of one flow share its number, so usually those numbers
 * are all; a change to a row that flows share, or a row under another number, makes it every flow.
 */
export function touchedFlows(view: PriView, changes: readonly PriChange[]): ReadonlySet<FlowId> {
  const touched = new Set<FlowId>();
  let shared = false;
  for (const change of changes) {
    const { entry } = change.pri.prc;
    // Installed again as it was: RFC 3084 §6 allows it, and it is no news to anybody.
    if (change.kind === "install" && isDeepStrictEqual(change.previous?.row, change.pri.row)) continue;
    if (NOT_OF_FLOWS.has(entry)) continue;
    if (PER_FLOW.has(entry) || entry === pib.sluiceSession.entry) touched.add(change.pri.instance);
    // A new bucket or session row is no news to flows that do not point to it yet.
    else if (!(HARMLESS.has(entry) && isNew(change))) shared = true;
  }
  if (shared) for (const [element] of view.rows(pib.dsClfrElement)) touched.add(element);
  return touched;
}

const isNew = (change: PriChange): boolean => change.kind === "install" && change.previous === undefined;

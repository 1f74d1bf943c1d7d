/**
 * Our router, over COPS-PR (RFC 3084): its first request is answered with the complete policy, every change
 * after that is one unsolicited decision, and is done when its report came.
 */
import type { DecMessage, ReqMessage, RptMessage } from "../../cops/codec/message.js";
import type { PdpPeer } from "../../cops/endpoint/pdp-peer.js";
import { type Binding, decodeClientSi, decodeReport, type Removal } from "../../cops/pr/bindings.js";
import { encodeProvisioning } from "../../cops/pr/decision.js";
import { splitPrid } from "../../cops/pr/oid.js";
import { pib } from "../../cops/pr/pib/index.js";
import { decodeRow } from "../../cops/pr/prc.js";
import { decisionName } from "../../cops/sip/ladder-name.js";
import type { Refusal, RefusalReason } from "../../model/decision.js";
import { DecodeError, SluiceError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { SessionId } from "../../model/session.js";
import type { BitsPerSecond, Millis, Octets } from "../../model/units.js";
import type { FlowCounters } from "../../model/usage.js";
import type { Enforcement, EnforcementChange, EnforcementEvents } from "../enforcement.js";
import { interimCounters } from "../liveness/interim-rows.js";
import { type PathQualityReport, type PolicyProbe, probeRow, qualityReports } from "../quality/probe-rows.js";
import type { SessionRecord } from "../session-record.js";
import { type AggregateReport, aggregateReports, aggregateRow, type PolicyAggregate } from "./aggregate-rows.js";
import { basePolicy, type PolicyClass, type PolicyPool, poolRateRow } from "./base-policy.js";
import { flowRemovals } from "./flow-rows.js";
import { SessionRows } from "./session-rows.js";
import { supportedClasses } from "./supported-classes.js";
import { type PolicyTunnel, tunnelRow } from "./tunnel-rows.js";

export interface RouterLinkOptions {
  /** PEP-ID of the router that enforces for us; others are refused. */
  readonly router: string;
  readonly pools: readonly PolicyPool[];
  readonly classes: readonly PolicyClass[];
  /** Those that end at the router; none if left out. */
  readonly tunnels?: readonly PolicyTunnel[];
  /** Paths that the router measures; none if left out. */
  readonly probes?: readonly PolicyProbe[];
  /** Longest wait for a report. */
  readonly timeout: Millis;
  readonly log: Logger;
  /** Sessions whose flows have to be in force. */
  readonly sessions: () => readonly SessionRecord[];
  readonly events: () => EnforcementEvents;
  /** Told what the network grants of the aggregates that `reserve` asked for. */
  readonly onAggregate?: (report: AggregateReport) => void;
  /** Told what the router measured of the paths in `probes`. */
  readonly onPathQuality?: (reports: readonly PathQualityReport[]) => void;
  /** Told what flows have carried so far, by number; `complete` when all that moved in an interval have been told. */
  readonly onInterim?: (counters: ReadonlyMap<number, FlowCounters>, complete: boolean) => void;
  /** Told of each decision and each report of a session, for the trace. */
  readonly onExchange?: (session: SessionId, message: string, action: "sent" | "received", router: string) => void;
}

interface Channel {
  readonly peer: PdpPeer;
  readonly handle: Buffer;
  /** Sessions in the complete policy that this handle began with. */
  readonly told: ReadonlySet<SessionId>;
  /** Whether the router can reserve. */
  readonly aggregates: boolean;
  /** Whether the router can steer flows into tunnels. */
  readonly tunnels: boolean;
  /** Whether the router can measure paths. */
  readonly probes: boolean;
}

export class RouterLink implements Enforcement {
  readonly #options: RouterLinkOptions;
  /** As they are now: `resize` changes their rates. */
  readonly #pools: Map<string, PolicyPool>;
  readonly #sessions: SessionRows;
  /** Those that the router shall have, by pool. */
  readonly #aggregates = new Map<number, PolicyAggregate>();
  /** What came between a complete policy and its being sent: the last of each kind and pool. */
  readonly #untold = new Map<string, () => Promise<unknown>>();
  #channel: Channel | undefined;
  /** Asked for its policy, and not answered yet. */
  #next: Channel | undefined;

  constructor(options: RouterLinkOptions) {
    this.#options = options;
    this.#pools = new Map(options.pools.map((pool) => [pool.name, pool]));
    this.#sessions = new SessionRows(basePolicy(options.pools, options.classes).targets, options.tunnels ?? []);
  }

  get connected(): boolean {
    return this.#channel !== undefined;
  }

  get peer(): PdpPeer | undefined {
    return this.#channel?.peer;
  }

  /** The router asks for its policy: all of it, in one decision (RFC 3318 §2.3, full state). */
  request(peer: PdpPeer, req: ReqMessage): Pick<DecMessage, "decisions"> {
    const live = this.#options.sessions().filter(({ state }) => state === "reserved");
    // Until the answer is on its way there is no channel: a change would overtake what it builds on.
    this.#channel = undefined;
    this.#untold.clear();
    const abilities = this.#abilitiesOf(peer, req);
    const { aggregates, tunnels, probes } = abilities;
    this.#next = { peer, handle: req.handle, told: new Set(live.map(({ id }) => id)), ...abilities };
    const base = basePolicy([...this.#pools.values()], this.#options.classes);
    const reserved = [...this.#aggregates.values()].filter(({ tunnel }) => tunnels || tunnel === undefined);
    const bindings = [
      ...base.bindings,
      ...(tunnels ? (this.#options.tunnels ?? []).map(tunnelRow) : []),
      ...(aggregates ? reserved.map(aggregateRow) : []),
      ...(probes ? (this.#options.probes ?? []).map(probeRow) : []),
      ...live.flatMap(({ id, class: name = "", flows }) =>
        this.#sessions.bindings({ session: id, class: name, flows }, tunnels),
      ),
    ];
    return { decisions: encodeProvisioning({ removals: [], bindings }) };
  }

  /**
   * Guarantees another rate (layer 2) to the queue of a pool. A router that is not there is told when it comes: its
   * complete policy has the rate of the time.
   */
  async resize(name: string, rate: BitsPerSecond): Promise<void> {
    const pool = this.#pools.get(name);
    if (pool === undefined) return;
    const resized = { ...pool, rate };
    this.#pools.set(name, resized);
    const channel = this.#channel;
    if (channel === undefined) {
      this.#whenAnswered(`pool ${name}`, () => this.resize(name, rate));
      return;
    }
    const done = await this.#carryOut(channel, { removals: [], bindings: [poolRateRow(resized)] });
    if (!done.admitted) this.#options.log.error("pdp.pool-resize-failed", { pool: name, error: done.text });
  }

  /**
   * Has an aggregate reserved, in place of what its pool had. Resolves when the router has taken the request; what the
   * network says of it comes through `onAggregate`. A router that is not there is told when it comes.
   */
  async reserve(aggregate: PolicyAggregate): Promise<{ admitted: true } | Refusal> {
    this.#aggregates.set(aggregate.pool, aggregate);
    const channel = this.#channel;
    if (channel === undefined) {
      this.#whenAnswered(`aggregate ${aggregate.pool}`, () => this.reserve(aggregate));
      return { admitted: true };
    }
    const { router } = this.#options;
    if (!channel.aggregates) return refuse("routerFailed", `router ${router} cannot reserve: it speaks no RSVP`);
    if (aggregate.tunnel !== undefined && !channel.tunnels) {
      return refuse(
        "routerFailed",
        `router ${router} cannot reserve for tunnel ${aggregate.tunnel}: it has no tunnels`,
      );
    }
    return this.#carryOut(channel, { removals: [], bindings: [aggregateRow(aggregate)] });
  }

  /** The complete policy has been sent. */
  answered(peer: PdpPeer): void {
    if (this.#next?.peer === peer) this.#channel = this.#next;
    this.#next = undefined;
    const untold = [...this.#untold.values()];
    this.#untold.clear();
    for (const tell of untold) {
      tell().catch((error: unknown) => this.#options.log.error("pdp.router-not-told", { error }));
    }
  }

  /** The policy that is on its way does not have it; one that is made later will. */
  #whenAnswered(what: string, tell: () => Promise<unknown>): void {
    if (this.#next !== undefined) this.#untold.set(what, tell);
  }

  /** Accounting: final counters of flows. The report on the complete policy: the router holds what we said. */
  report(peer: PdpPeer, rpt: RptMessage): void {
    if (this.#channel?.peer !== peer) return;
    if (rpt.reportType === "accounting") this.#accounting(rpt);
    // Of a state that the router has given up meanwhile: it says nothing about what holds now.
    else if (!this.#channel.handle.equals(rpt.handle)) return;
    else if (!rpt.solicited) this.#options.log.error("pdp.router-failed", { errors: describeReport(rpt) });
    else if (rpt.reportType === "success") this.#options.events().inSync(this.#channel.told);
    else this.#options.log.error("pdp.router-refused-policy", { errors: describeReport(rpt) });
  }

  closed(peer: PdpPeer, reason: string): void {
    if (this.#channel?.peer !== peer) return;
    this.#channel = undefined;
    this.#options.log.warn("pdp.router-lost", { router: peer.pepId, reason });
  }

  async change(change: EnforcementChange): Promise<{ admitted: true } | Refusal> {
    const { session, class: className, remove, install } = change;
    const { router } = this.#options;
    const channel = this.#channel;
    if (channel === undefined) return refuse("routerUnavailable", `router ${router} is not connected`);
    const tunnel = install.map((flow) => this.#sessions.tunnelOf(flow)).find((found) => found !== undefined);
    if (tunnel !== undefined && !channel.tunnels) {
      return refuse("routerFailed", `router ${router} has no tunnels, and pool ${tunnel.pool} is carried in one`);
    }
    const removals: readonly Removal[] = remove.flatMap(({ instance }) => flowRemovals(instance));
    const bindings = this.#sessions.bindings({ session, class: className, flows: install }, channel.tunnels);
    return this.#carryOut(channel, { removals, bindings }, session);
  }

  /** One transaction of the router. @param session - that it is about, for the trace */
  async #carryOut(
    channel: Channel,
    provisioning: { readonly removals: readonly Removal[]; readonly bindings: readonly Binding[] },
    session?: SessionId,
  ): Promise<{ admitted: true } | Refusal> {
    const { router, timeout } = this.#options;
    const trace = (message: string, action: "sent" | "received"): void => {
      if (session !== undefined) this.#options.onExchange?.(session, message, action, channel.peer.remote);
    };
    try {
      const decisions = encodeProvisioning(provisioning);
      trace(decisionName({ clientType: channel.peer.clientType, decisions }), "sent");
      const rpt = await channel.peer.decide(channel.handle, decisions, timeout);
      trace("RPT", "received");
      if (rpt.reportType === "success") return { admitted: true };
      if (provisioning.removals.length > 0) channel.peer.synchronize();
      return refuse("routerFailed", `router ${router} could not: ${describeReport(rpt)}`);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      // It may have done it or not. Its complete state, asked for anew, settles that (RFC 2748 §3.5).
      if (error.code === "COPS_TIMEOUT") channel.peer.synchronize();
      return refuse("routerUnavailable", `router ${router} did not report: ${error.message}`);
    }
  }

  /** A complete policy with rows of a class that the router does not know would be refused as a whole. */
  #abilitiesOf(peer: PdpPeer, req: ReqMessage): Pick<Channel, "aggregates" | "tunnels" | "probes"> {
    const { log, tunnels = [], probes = [] } = this.#options;
    const router = peer.pepId;
    try {
      const supported = supportedClasses(req.named);
      const reserves = supported.has(pib.sluiceAggregate.entry);
      const steers = supported.has(pib.sluiceTunnel.entry);
      const measures = supported.has(pib.sluiceProbe.entry);
      if (!reserves && this.#aggregates.size > 0) log.error("pdp.router-without-rsvp", { router });
      if (!steers && tunnels.length > 0) log.error("pdp.router-without-tunnels", { router });
      if (!measures && probes.length > 0) log.error("pdp.router-without-stamp", { router });
      return { aggregates: reserves, tunnels: steers, probes: measures };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      log.warn("pdp.request-unreadable", { router, error: error.message });
      return { aggregates: false, tunnels: false, probes: false };
    }
  }

  #accounting(rpt: RptMessage): void {
    try {
      const bindings = decodeClientSi(rpt.named);
      const finals = finalsOf(bindings);
      if (finals.size > 0) this.#options.events().flowsFinal(finals);
      for (const report of aggregateReports(bindings)) this.#options.onAggregate?.(report);
      const qualities = qualityReports(bindings);
      if (qualities.length > 0) this.#options.onPathQuality?.(qualities);
      const interim = interimCounters(bindings);
      // A report without rows closes an interval.
      if (interim.size > 0 || bindings.length === 0) this.#options.onInterim?.(interim, bindings.length === 0);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#options.log.warn("pdp.accounting-unreadable", { error: error.message });
    }
  }
}

function finalsOf(bindings: readonly Binding[]): ReadonlyMap<number, FlowCounters> {
  const finals = new Map<number, FlowCounters>();
  for (const { prid, values } of bindings) {
    const place = splitPrid(prid);
    if (place?.entry !== pib.sluiceUsage.entry) continue;
    const decoded = decodeRow(pib.sluiceUsage, place.instance, values);
    if (!decoded.ok) continue;
    const { row } = decoded;
    finals.set(place.instance, {
      inProfile: { packets: Number(row.inProfilePackets), octets: Number(row.inProfileOctets) as Octets },
      outOfProfile: { packets: Number(row.outOfProfilePackets), octets: Number(row.outOfProfileOctets) as Octets },
    });
  }
  return finals;
}

function describeReport(rpt: RptMessage): string {
  try {
    const { gperr, errors } = decodeReport(rpt.named);
    const specific = errors.map(({ prid, cperr }) => `${prid}: CPERR ${cperr.code}/${cperr.subCode}`);
    return [...(gperr === undefined ? [] : [`GPERR ${gperr.code}/${gperr.subCode}`]), ...specific].join(", ");
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return "an unreadable report";
  }
}

const refuse = (reason: RefusalReason, text: string): Refusal => ({ admitted: false, reason, text });

/** The answers of the control API, version 1: what `sluice show`, `explain` and `trace` print. Base units, no strings to parse. */
import type { Refusal } from "../model/decision.js";
import type { MessageEvent } from "../model/event.js";
import type { MediaGrant } from "../model/quality.js";
import type { ReconcileStatus } from "../model/reconcile.js";
import type { SessionId, SessionSide } from "../model/session.js";
import type { BitsPerSecond, Dscp, Millis, Octets, Timestamp } from "../model/units.js";
import type { Counter, FlowCounters } from "../model/usage.js";
import type { CounterView, PortalView } from "./counter-views.js";
import type { LiveUsageView } from "./live-views.js";
import type { QualityView } from "./quality-views.js";
import type { RecordView } from "./record-views.js";
import type { RegistrationView } from "./registration-views.js";
import type { ReservationsView } from "./reservation-views.js";
import type { StampView } from "./stamp-views.js";

/** `/v1/health` */
export interface HealthView {
  readonly role: string;
  readonly name: string;
  readonly version: string;
  readonly since: Timestamp;
  readonly status: "ok" | "degraded";
  /** What is wrong now, one sentence each. */
  readonly problems: readonly string[];
  /** What is right and may soon be wrong, likewise; leaves the status as it is. */
  readonly warnings: readonly string[];
}

/**
 * `/v1/show/sessions`: the latest. At a policy server also `?callId=`, those of one call, the newest first; `?live=1`, those that
 * live; `?user=&live=1`, of these those of a user of its network, or of several that are separated by spaces (addresses of record).
 */
export interface SessionView {
  readonly session: SessionId;
  readonly callId?: string;
  readonly caller: string;
  readonly callee: string;
  readonly side?: SessionSide;
  /** The role's own word, such as `authorised`, `installed`, `ended`. */
  readonly state: string;
  readonly treatment?: string;
  /** Its service class; of several, each once. */
  readonly class?: string;
  /** What its media were granted, where anybody asked for a class or a quality. */
  readonly grants?: readonly MediaGrant[];
  /** Of all flows, each direction, counted at layer 3. */
  readonly rate?: BitsPerSecond;
  readonly since: Timestamp;
  /** When its media was last seen to move, as of the router's last report. */
  readonly moved?: Timestamp;
}

/** `/v1/show/policies`: one flow that is installed, or decided to be. Octets counted at layer 3. */
export interface PolicyView {
  readonly id: number;
  readonly session: SessionId;
  /** As `describeFlow` writes it. */
  readonly flow: string;
  readonly dscp: Dscp;
  readonly pool: string;
  readonly rate: BitsPerSecond;
  /** Live kernel counters; absent where the role has no kernel. */
  readonly counters?: FlowCounters;
}

/** `/v1/show/pools`: rates counted at layer 2, each direction. */
export interface PoolView {
  readonly name: string;
  readonly id: number;
  readonly rate: BitsPerSecond;
  readonly used: BitsPerSecond;
  readonly free: BitsPerSecond;
  readonly sessions: number;
  /** Each direction, where the account is kept: `used` is the larger. */
  readonly up?: BitsPerSecond;
  readonly down?: BitsPerSecond;
  /** What the network has confirmed, for a pool that is reserved in it. */
  readonly reserved?: BitsPerSecond;
  /** Sessions that wait for more. */
  readonly waiting?: number;
}

/** `/v1/show/communities`, by a policy server. */
export interface CommunityView {
  readonly name: string;
  readonly prefixes: readonly string[];
  readonly domains: readonly string[];
  readonly router: string;
  /** Where reservations begin and end. */
  readonly edge?: string;
  /** Whether its router is that of this policy server. */
  readonly own: boolean;
  /** Between it and other communities, with the other's name. */
  readonly pools: readonly { readonly name: string; readonly to: string; readonly class: string }[];
  /** That hold something of a pool between it and another. */
  readonly sessions: number;
}

/** `POST /v1/pools/resize?pool=&rate=` with the rate in bit/s, and with `dryRun=1`. Rates at layer 2, each direction. */
export interface PoolResizeView {
  readonly pool: string;
  readonly rate: BitsPerSecond;
  /** What sessions may use of it together, and what they held before. */
  readonly room: BitsPerSecond;
  readonly heldUp: BitsPerSecond;
  readonly heldDown: BitsPerSecond;
  /** Sessions that lose what they hold, the least important first, and what becomes of them. */
  readonly shed: readonly { readonly session: SessionId; readonly treatment: string }[];
  readonly dryRun: boolean;
}

/** One class of one interface; octets counted at layer 2. */
export interface KernelClassView {
  readonly interface: string;
  /** `pool`, `signalling`, `default` or `link`. */
  readonly kind: string;
  readonly pool?: string;
  readonly rate: BitsPerSecond;
  readonly sent: Counter;
  readonly dropped: number;
  readonly backlog: Octets;
}

/** `/v1/show/kernel` */
export interface KernelView {
  /** Whether table and trees are as they should be. */
  readonly structure: boolean;
  readonly flows: number;
  readonly classes: readonly KernelClassView[];
  /** How the kernel is kept as it is wanted. */
  readonly reconcile?: ReconcileView;
}

/** `/v1/show/reconcile`: comparisons of the kernel with what is wanted (passes) since the start, and what came of them. */
export interface ReconcileView extends ReconcileStatus {
  /** What marks, polices and counts, and how it is programmed. */
  readonly backend: string;
  readonly detail: string;
}

/** One object that the kernel does not hold as it is wanted; the texts are for people. */
export interface DifferenceView {
  readonly kind: "structure" | "interface" | "pool" | "tunnel" | "flow";
  readonly object: string;
  readonly wanted: string;
  readonly found: string;
}

/** One call of a tool: its arguments, and what it reads. */
export interface StepView {
  readonly tool: string;
  readonly args: readonly string[];
  readonly input: string;
}

/** `/v1/diff`, and `/v1/diff?render=1` with `steps`: intent against kernel, and exactly what would mend it. */
export interface DiffView {
  /** What carries it out, and why. */
  readonly backend: string;
  /** The first of them. */
  readonly differences: readonly DifferenceView[];
  readonly total: number;
  /** Flows that stay as they are. */
  readonly kept: number;
  readonly steps?: readonly StepView[];
}

/** `/v1/show/peers` */
export interface PeerView {
  readonly name: string;
  readonly address: string;
  readonly protocol: string;
  readonly state: string;
  readonly since: Timestamp;
}

/** A sender in a session of RSVP. Rates at layer 3. */
export interface RsvpSessionView {
  /** What this router is to it: `aggregator` and `deaggregator` are the ends, `transit` is between them. */
  readonly role: "aggregator" | "transit" | "deaggregator";
  readonly sender: string;
  readonly destination: string;
  /** Of an aggregate. */
  readonly dscp?: Dscp;
  /** The pool that it is for, where the policy server wants it. */
  readonly pool?: number;
  readonly wanted: BitsPerSecond;
  readonly granted: BitsPerSecond;
  /** Where Path messages come from and where reservations come from; absent at the ends. */
  readonly previousHop?: string;
  readonly nextHop?: string;
  /** The one that it leaves by. */
  readonly interface?: string;
  readonly failure?: string;
}

/** `/v1/show/rsvp` */
export interface RsvpView {
  /** `raw` or `udp`. */
  readonly transport: string;
  readonly refresh: Millis;
  /** Rates at layer 3; `up` is false while nothing is sent or received there. */
  readonly interfaces: readonly {
    readonly name: string;
    readonly up: boolean;
    readonly room: BitsPerSecond;
    readonly reserved: BitsPerSecond;
  }[];
  readonly sessions: readonly RsvpSessionView[];
  /** With the number of sessions that each takes part in. */
  readonly neighbours: readonly { readonly address: string; readonly interface: string; readonly sessions: number }[];
  /** What became of messages since the start. */
  readonly counters: Readonly<Record<string, number>>;
}

/** `/v1/show/tunnels`, by a router. */
export interface TunnelView {
  /** The same at both ends. */
  readonly id: number;
  readonly name: string;
  readonly kind: string;
  /** Protocol, addresses and ports of the outer packets that leave here, as `describeFlow` writes a flow. */
  readonly outer: string;
  /** Largest inner packet, layer 3. */
  readonly mtu: Octets;
  /** Flows that are steered into it now, and what these carried; octets at layer 3 of the inner packets. */
  readonly flows: number;
  readonly carried: Counter;
  /** `missing`: the kernel lacks it, or a part of it. Its packets then go the plain way. */
  readonly state: "whole" | "missing";
}

/** `/v1/show/usage`: one usage record. Octets counted at layer 3. */
export interface UsageView {
  readonly session: SessionId;
  readonly reporter: string;
  readonly side: "source" | "destination";
  readonly caller: string;
  readonly callee: string;
  readonly start: Timestamp;
  readonly duration: Millis;
  /** The number that the authority gave the session. */
  readonly transaction: string;
  /** Both directions together. */
  readonly counters: FlowCounters;
  /** Left the reporter's access network, and entered it. */
  readonly up: FlowCounters;
  readonly down: FlowCounters;
  /** Why the session ended. */
  readonly cause: string;
}

export interface ExplainStep {
  readonly at: Timestamp;
  /** What happened: `request`, `rule`, `clearinghouse`, `admission`, `install`, `remove`, `usage` … */
  readonly what: string;
  readonly detail: string;
}

/** `/v1/explain?session=` (a session id or a Call-ID) */
export interface ExplainView {
  readonly session: SessionId;
  readonly outcome: string;
  readonly steps: readonly ExplainStep[];
  /** As in `SessionView`. */
  readonly class?: string;
  readonly grants?: readonly MediaGrant[];
  readonly moved?: Timestamp;
  readonly refusal?: Refusal;
}

/** `/v1/events?session=` (a session id, or a Call-ID by a role that knows it) */
export interface EventsView {
  /** The session that was meant; null by a role that does not know the Call-ID. */
  readonly session: SessionId | null;
  readonly events: readonly MessageEvent[];
}

export const SHOW_TOPICS = [
  "sessions",
  "policies",
  "pools",
  "communities",
  "kernel",
  "reconcile",
  "rsvp",
  "reservations",
  "tunnels",
  "peers",
  "usage",
  "quality",
  "stamp",
  "registrations",
  "live",
  "records",
  "portal",
  "counters",
] as const;
export type ShowTopic = (typeof SHOW_TOPICS)[number];

/** What each `/v1/show/…` route answers. */
export interface ShowViews {
  readonly sessions: readonly SessionView[];
  readonly policies: readonly PolicyView[];
  readonly pools: readonly PoolView[];
  readonly communities: readonly CommunityView[];
  readonly kernel: KernelView;
  readonly rsvp: RsvpView;
  readonly reservations: ReservationsView;
  readonly tunnels: readonly TunnelView[];
  readonly peers: readonly PeerView[];
  readonly usage: readonly UsageView[];
  readonly quality: readonly QualityView[];
  readonly stamp: StampView;
  readonly registrations: readonly RegistrationView[];
  readonly live: LiveUsageView;
  readonly records: readonly RecordView[];
  readonly portal: PortalView;
  readonly counters: readonly CounterView[];
}

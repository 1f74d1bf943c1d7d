/** What a policy server shows: from the session service, the ledger and the store. */
import type { PdpConfig } from "../config/pdp.js";
import type { ControlQuery } from "../control/server.js";
import type { ExplainView, PeerView, PolicyView, PoolView, SessionView, UsageView } from "../control/views.js";
import { CLIENT_TYPE_DIFFSERV } from "../cops/codec/codes.js";
import type { PdpPeer } from "../cops/endpoint/pdp-peer.js";
import { normalAor } from "../model/address-of-record.js";
import { SystemError } from "../model/errors.js";
import { describeFlow } from "../model/flow.js";
import { dscpOf } from "../model/phb.js";
import { parseSessionId } from "../model/session.js";
import { bitsPerSecond, dscp, millis } from "../model/units.js";
import { addFlowCounters } from "../model/usage.js";
import { rateOf } from "../pdp/admission.js";
import type { AdmissionLedger } from "../pdp/ledger.js";
import type { Liveness } from "../pdp/liveness/liveness.js";
import type { PoolKeeper } from "../pdp/pools/pool-keeper.js";
import type { RouterLink } from "../pdp/router/router-link.js";
import { isLive, type SessionRecord } from "../pdp/session-record.js";
import type { SessionService } from "../pdp/session-service.js";
import type { SessionStore } from "../pdp/session-store.js";
import type { SipLink } from "../pdp/sip/sip-link.js";
import { durationOf, trafficOf } from "../pdp/usage.js";
import { communities } from "./pdp-communities.js";

export interface PdpParts {
  readonly config: PdpConfig;
  readonly service: SessionService;
  readonly store: SessionStore;
  readonly ledger: AdmissionLedger;
  readonly keeper: PoolKeeper;
  readonly sip: SipLink;
  readonly router: RouterLink;
  readonly liveness: Pick<Liveness, "usageOf">;
}

/** How many sessions of the past are shown. */
const RECENT = 100;

export function pdpViews(parts: PdpParts) {
  const { store, sip, router } = parts;
  return {
    show: {
      sessions: (query: ControlQuery) => sessionsOf(parts, query).map((record) => sessionView(parts, record)),
      policies: () => policies(parts),
      pools: () => pools(parts),
      communities: () => communities(parts),
      peers: () => [...sip.peers(), ...(router.peer === undefined ? [] : [router.peer])].map(peerView),
      usage: () =>
        store
          .recent(RECENT)
          .filter(({ state }) => state === "closed")
          .map(usageView(parts.config.name)),
    },
    explain: (session: string) => explain(parts, session),
  };
}

/** @throws SystemError CONTROL_QUERY */
function sessionsOf({ store, service }: PdpParts, { callId, user, live }: ControlQuery): readonly SessionRecord[] {
  if (callId !== undefined) return store.ofCallId(callId);
  if (user === undefined && live === undefined) return store.recent(RECENT);
  if (live !== "1") {
    const remedy = "sessions of a user are shown as long as they live: live=1";
    throw new SystemError("CONTROL_QUERY", "sessions of the past are not looked up by user", { remedy });
  }
  if (user === undefined) return service.live().filter(isLive);
  return user.split(" ").flatMap((each) => service.liveOf(normalAor(each)));
}

const sessionView = (parts: PdpParts, record: SessionRecord): SessionView => ({
  session: record.id,
  callId: record.callId,
  caller: record.caller,
  callee: record.callee,
  side: record.side,
  state: record.state,
  treatment: record.treatment,
  ...negotiated(record),
  rate: bitsPerSecond(Math.max(...(["up", "down"] as const).map((way) => rateOf(flowsOf(record), way)))),
  since: record.created,
  ...lastMoved(parts, record),
});

/** Of a session that is watched and has moved. */
function lastMoved({ liveness }: PdpParts, { id }: SessionRecord): Pick<SessionView, "moved"> {
  const moved = liveness.usageOf(id)?.moved;
  return moved === undefined ? {} : { moved };
}

/** Classes of its flows; as long as there are none, that of the session. */
function negotiated({ class: own, flows, grants = [] }: SessionRecord): Pick<SessionView, "class" | "grants"> {
  const names = new Set((flows.length === 0 ? [own] : flows.map((flow) => flow.class ?? own)).filter(isNamed));
  return {
    ...(names.size === 0 ? {} : { class: [...names].join(", ") }),
    ...(grants.length === 0 ? {} : { grants }),
  };
}

const isNamed = (name: string | undefined): name is string => name !== undefined;

const flowsOf = ({ flows }: SessionRecord) => flows.map(({ flow }) => flow);

function policies({ config, service }: PdpParts): readonly PolicyView[] {
  const classes = new Map(config.classes.map((serviceClass) => [serviceClass.name, serviceClass]));
  return service.live().flatMap(({ id, class: own, flows }) =>
    flows.map(({ instance, flow, pool, class: name = own }) => {
      const serviceClass = classes.get(name ?? "");
      return {
        id: instance,
        session: id,
        flow: describeFlow(flow.key),
        dscp: serviceClass === undefined ? dscp(0) : dscpOf(serviceClass.phb),
        pool: pool ?? serviceClass?.pool ?? "",
        rate: flow.traffic.rate,
      };
    }),
  );
}

/** Links have no class of their own on a router, and so no number. */
function pools({ config, ledger, keeper }: PdpParts): readonly PoolView[] {
  const kept = new Map(keeper.view().map((view) => [view.name, view]));
  return ledger.view().map(({ name, rate, usedUp, usedDown, sessions }) => {
    const used = bitsPerSecond(Math.max(usedUp, usedDown));
    const id = config.pools.find((pool) => pool.name === name)?.id ?? 0;
    const view = { name, id, rate, used, up: usedUp, down: usedDown, free: bitsPerSecond(Math.max(0, rate - used)) };
    const { reserved, waiting } = kept.get(name) ?? {};
    return {
      ...view,
      sessions,
      ...(reserved === undefined ? {} : { reserved }),
      ...(waiting === undefined ? {} : { waiting }),
    };
  });
}

const peerView = ({ pepId, remote, clientType, since }: PdpPeer): PeerView => ({
  name: pepId,
  address: remote,
  protocol: clientType === CLIENT_TYPE_DIFFSERV ? "COPS-PR" : "COPS",
  state: "open",
  since,
});

const usageView =
  (reporter: string) =>
  (record: SessionRecord): UsageView => {
    const [up, down] = [trafficOf(record, "up"), trafficOf(record, "down")];
    return {
      session: record.id,
      transaction: record.transactionId,
      reporter,
      side: record.side === "originating" ? "source" : "destination",
      caller: record.caller,
      callee: record.callee,
      start: record.answered ?? record.created,
      duration: millis(durationOf(record)),
      counters: addFlowCounters(up, down),
      up,
      down,
      cause: record.cause ?? "",
    };
  };

/** By session id or Call-ID; undefined for one that was never heard of. */
function explain(parts: PdpParts, text: string): ExplainView | undefined {
  const { service, store } = parts;
  const id = parseSessionId(text);
  const record = (id === undefined ? undefined : service.get(id)) ?? store.findByCallId(text);
  if (record === undefined) return undefined;
  const { state, steps, refusal } = record;
  const refused = refusal === undefined ? {} : { refusal };
  return { session: record.id, outcome: state, steps, ...negotiated(record), ...lastMoved(parts, record), ...refused };
}

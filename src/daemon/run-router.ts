/** Composition root of the router. The only role that needs CAP_NET_ADMIN. */
import type { RouterConfig } from "../config/router.js";
import { admissionOf } from "../config/rsvp-admission.js";
import type { ControlStream } from "../control/stream.js";
import type { KernelView, PolicyView, PoolView, ReconcileView } from "../control/views.js";
import { CLIENT_TYPE_DIFFSERV } from "../cops/codec/codes.js";
import { DEFAULT_COPS_LIMITS } from "../cops/endpoint/limits.js";
import { PepClient } from "../cops/endpoint/pep-client.js";
import type { KernelKeeper, KernelPort } from "../kernel/port.js";
import { Reconciler } from "../kernel/reconcile/reconciler.js";
import { describeFlow } from "../model/flow.js";
import type { Logger } from "../model/log.js";
import { bitsPerSecond, millis } from "../model/units.js";
import { RouterPep } from "../pep/router/router-pep.js";
import { RsvpHappenings } from "../pep/router/rsvp/happenings.js";
import { ReservedPools } from "../pep/router/rsvp/reserved-pools.js";
import type { RsvpSpeaker } from "../pep/router/rsvp/speaker.js";
import { UsageJournal } from "../pep/router/usage-journal.js";
import type { StampEndpoint } from "../stamp/endpoint/stamp-endpoint.js";
import { diffKernel } from "./kernel-diff.js";
import { policyServerProblems, policyServerView, RECONNECT } from "./policy-client.js";
import { buildRole, exchangeLog, openControl, type RoleContext, type RunningRole } from "./role.js";
import { localState, openRouterKernel, reservedPools } from "./router-kernel.js";
import { type Outsourcing, openOutsourcing } from "./router-outsourcing.js";
import { openRsvp } from "./router-rsvp.js";
import { openStamp, probing, stampView, stampWarnings } from "./router-stamp.js";
import { steersIntoTunnels, tunnelViews } from "./router-tunnels.js";
import { rsvpProblems, rsvpView } from "./rsvp-view.js";
import { RsvpWatch } from "./rsvp-watch.js";

/**
 * The complete policy is one decision, some 1.5 kB for each session: room for ten thousand sessions, four times over.
 * Only our own policy server can make us hold so much, and only as much as it really sends.
 */
const COPS_LIMITS = { ...DEFAULT_COPS_LIMITS, maxMessage: 64 * 1024 * 1024 };
/** A call takes some two dozen rows: room for ten thousand. */
const MAX_INSTANCES = 250_000;

export const runRouter = (config: RouterConfig, log: Logger): Promise<RunningRole> => buildRole(config, log, build);

async function build(context: RoleContext<RouterConfig>): Promise<void> {
  const { config, log, clock, cleanup, statePath } = context;
  const kernel = await openRouterKernel(config, log);
  cleanup.add(() => kernel.close());
  const journal = new UsageJournal(statePath("router.db"), clock);
  cleanup.add(() => journal.close());
  const reconciler = new Reconciler({
    kernel,
    local: localState(config),
    usage: journal,
    clock,
    log,
    reconcileInterval: config.kernel.reconcile,
  });
  const keeper = new ReservedPools(reconciler, reservedPools(kernel.backend));
  cleanup.add(() => keeper.close());
  await keeper.start();
  const admission = config.rsvp === undefined ? undefined : admissionOf(config.rsvp.admission);
  const outsourcing = admission === undefined ? undefined : openOutsourcing(context, admission);
  const happenings = new RsvpHappenings(clock);
  const speaker = await speakRsvp(context, { keeper, outsourcing, happenings });
  const tunnels = steersIntoTunnels(kernel.backend);
  const stamp = await openStamp(context, config.stamp);
  const client = await enforcePolicy(context, { keeper, journal, speaker, tunnels, stamp });
  const { rsvp } = config;
  await openControl(context, {
    show: {
      policies: () => policies(keeper),
      pools: () => pools(keeper),
      kernel: () => kernelView(kernel, keeper),
      reconcile: () => [reconcileView(kernel, keeper)],
      tunnels: () => tunnelViews(kernel, keeper),
      peers: () => [
        ...(client === undefined ? [] : [policyServerView(client, "COPS-PR")]),
        ...(outsourcing === undefined ? [] : [outsourcing.peer()]),
      ],
      ...(speaker === undefined || rsvp === undefined ? {} : { rsvp: () => rsvpView(speaker, rsvp) }),
      ...(stamp === undefined ? {} : { stamp: () => stampView(stamp) }),
    },
    ...(speaker === undefined ? {} : { streams: { "rsvp/watch": watchRsvp(context, speaker, happenings) } }),
    diff: (render) => diffKernel(kernel, keeper.desired, render),
    problems: () => [
      ...(client === undefined ? [] : policyServerProblems(client)),
      ...(outsourcing?.problems() ?? []),
      ...keeper.problems(),
      ...(speaker === undefined || rsvp === undefined ? [] : rsvpProblems(speaker, rsvp)),
    ],
    warnings: () => (stamp === undefined ? [] : stampWarnings(stamp)),
  });
}

interface Reservations {
  readonly keeper: ReservedPools;
  readonly outsourcing: Outsourcing | undefined;
  readonly happenings: RsvpHappenings;
}

/** Before the policy server can want an aggregate. */
async function speakRsvp(
  { config, log, clock, cleanup }: RoleContext<RouterConfig>,
  { keeper, outsourcing, happenings }: Reservations,
): Promise<RsvpSpeaker | undefined> {
  const { rsvp, kernel } = config;
  if (rsvp === undefined) {
    // Of a time when RSVP was configured.
    await keeper.sweep();
    return undefined;
  }
  const outsourced = outsourcing === undefined ? {} : { outsourced: outsourcing.admission };
  const speaker = await openRsvp({ rsvp, kernel, pools: keeper, ...outsourced, happenings, clock, log });
  cleanup.add(() => speaker.close());
  return speaker;
}

function watchRsvp(
  { clock, cleanup }: RoleContext<RouterConfig>,
  speaker: RsvpSpeaker,
  happenings: RsvpHappenings,
): ControlStream {
  const watch = new RsvpWatch({ speaker, happenings, clock });
  cleanup.add(() => watch.close());
  return watch.stream;
}

interface Enforcement {
  readonly keeper: KernelKeeper;
  readonly journal: UsageJournal;
  readonly speaker: RsvpSpeaker | undefined;
  /** Whether the kernel's back end steers into them. */
  readonly tunnels: boolean;
  readonly stamp: StampEndpoint | undefined;
}

/** Undefined without a policy server: then the router is only on the way of aggregates. */
async function enforcePolicy(
  { config, log, clock, cleanup, events }: RoleContext<RouterConfig>,
  { keeper, journal, speaker, tunnels, stamp }: Enforcement,
): Promise<PepClient | undefined> {
  if (config.pdp === undefined) return undefined;
  let client: PepClient | undefined;
  const pep = new RouterPep({
    identity: { name: config.name, maxMessage: COPS_LIMITS.maxMessage },
    kernel: keeper,
    journal,
    aggregates: speaker,
    tunnels,
    ...probing(stamp, config.stamp),
    clock,
    log,
    maxInstances: MAX_INSTANCES,
    onExchange: (session, message, action) => {
      const ends = client?.ends;
      if (ends === undefined) return;
      exchangeLog(events, "COPS", ends.local)(session, message, action, ends.remote);
    },
  });
  client = new PepClient(
    {
      servers: config.pdp.servers,
      pepId: config.name,
      clientType: CLIENT_TYPE_DIFFSERV,
      clock,
      log,
      limits: COPS_LIMITS,
      requestTimeout: millis(10_000),
      reconnect: RECONNECT,
    },
    pep,
  );
  cleanup.add(() => pep.close());
  await pep.start(client);
  return client;
}

async function policies(keeper: KernelKeeper): Promise<readonly PolicyView[]> {
  const counters = await keeper.counters();
  const { flows, pools: classes } = keeper.desired;
  return [...flows.values()].map((rule) => {
    const counted = counters.get(rule.id);
    return {
      id: rule.id,
      session: rule.session,
      flow: describeFlow(rule.key),
      dscp: rule.dscp,
      pool: classes.get(rule.pool)?.name ?? String(rule.pool),
      rate: rule.rate,
      ...(counted === undefined ? {} : { counters: counted }),
    };
  });
}

/** What the flows of a pool may send together, layer 3; the policy server keeps the exact account. */
function pools(keeper: KernelKeeper): readonly PoolView[] {
  const { flows, pools: classes } = keeper.desired;
  return [...classes.values()].map(({ id, name, rate }) => {
    const own = [...flows.values()].filter(({ pool }) => pool === id);
    // Every flow of a session has its opposite: half of the sum is one direction.
    const used = bitsPerSecond(own.reduce((sum, flow) => sum + flow.rate, 0) / 2);
    const sessions = new Set(own.map(({ session }) => session)).size;
    return { name, id, rate, used, free: bitsPerSecond(Math.max(0, rate - used)), sessions };
  });
}

async function kernelView(kernel: KernelPort, keeper: KernelKeeper): Promise<KernelView> {
  const { structure, flows, classes, pools: byId } = await kernel.read();
  return {
    structure,
    flows: flows.size,
    classes: classes.map((found) => {
      const pool = found.pool === undefined ? undefined : (byId.get(found.pool)?.name ?? String(found.pool));
      const { interface: name, kind, rate, sent, dropped, backlog } = found;
      return { interface: name, kind, rate, sent, dropped, backlog, ...(pool === undefined ? {} : { pool }) };
    }),
    reconcile: reconcileView(kernel, keeper),
  };
}

const reconcileView = ({ backend: { name, detail } }: KernelPort, keeper: KernelKeeper): ReconcileView => ({
  backend: name,
  detail,
  ...keeper.status(),
});

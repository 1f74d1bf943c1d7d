/** Composition root of the policy server. */
import type { PdpConfig } from "../config/pdp.js";
import { CLIENT_TYPE_DIFFSERV } from "../cops/codec/codes.js";
import { DEFAULT_COPS_LIMITS } from "../cops/endpoint/limits.js";
import { PdpServer } from "../cops/endpoint/pdp-server.js";
import { formatEndpoint, parsePrefix } from "../model/ip.js";
import type { Logger } from "../model/log.js";
import { dscpOf } from "../model/phb.js";
import { AdmissionLedger } from "../pdp/ledger.js";
import { liveView } from "../pdp/liveness/live-view.js";
import type { Liveness } from "../pdp/liveness/liveness.js";
import { policyServer } from "../pdp/policy-server.js";
import { PoolKeeper } from "../pdp/pools/pool-keeper.js";
import { PoolTally, TalliedPools } from "../pdp/pools/pool-watch-tally.js";
import type { RsvpReservations } from "../pdp/pools/rsvp-reservations.js";
import { pathViews } from "../pdp/quality/path-views.js";
import type { PolicyAggregate } from "../pdp/router/aggregate-rows.js";
import { RouterLink } from "../pdp/router/router-link.js";
import { RuleBook } from "../pdp/rules.js";
import type { SessionRecord } from "../pdp/session-record.js";
import { SessionService } from "../pdp/session-service.js";
import { SessionStore } from "../pdp/session-store.js";
import { SipLink } from "../pdp/sip/sip-link.js";
import { UsageRecords } from "../pdp/usage-records.js";
import type { UsageSender } from "../pdp/usage-sender.js";
import { pdpActions } from "./pdp-actions.js";
import { directivesOf, openAuthority } from "./pdp-authority.js";
import { accountingOf, openLiveness, watchedProxies, watchedRouter } from "./pdp-liveness.js";
import { openReservationControl, type ReservationControl } from "./pdp-outsourcing.js";
import { recordPools } from "./pdp-pool-history.js";
import { type Measurements, openMeasurements } from "./pdp-quality.js";
import { recordsView } from "./pdp-records.js";
import { openReservations } from "./pdp-reservations.js";
import { keepPruned } from "./pdp-retention.js";
import { policyTunnels, poolMap } from "./pdp-tunnels.js";
import { type PdpParts, pdpViews } from "./pdp-views.js";
import { buildRole, exchangeLog, openControl, type RoleContext, type RunningRole } from "./role.js";

/** What may wait for a router: its complete policy is one message of some 1.5 kB for each session. */
const MAX_POLICY = 128 * 1024 * 1024;

export const runPdp = (config: PdpConfig, log: Logger): Promise<RunningRole> => buildRole(config, log, build);

async function build(context: RoleContext<PdpConfig>): Promise<void> {
  const { config, log, clock, cleanup, events, statePath } = context;
  const store = new SessionStore(statePath("pdp.db"));
  cleanup.add(() => store.close());
  const records = new UsageRecords(store.database);
  keepPruned(context, { store, records });
  const { authority, usage } = openAuthority(context, store);
  const ledger = new AdmissionLedger([...config.pools, ...config.links]);
  const exchange = exchangeLog(events, "COPS", formatEndpoint(config.cops.listen.address, config.cops.listen.port));
  const reserve = (aggregate: PolicyAggregate) => router.reserve(aggregate);
  const reservations = openReservations(context, { events: () => keeper, reserve });
  const measurements = openMeasurements(context);
  const liveness: Liveness = openLiveness(context, () => service);
  const router: RouterLink = new RouterLink({
    ...routerPolicy(config),
    ...measurements.router,
    ...watchedRouter(liveness),
    log,
    sessions: () => service.live(),
    events: () => service,
    onAggregate: (report) => reservations.report(report),
    onExchange: exchange,
  });
  const tally = new PoolTally();
  const keeper: PoolKeeper = new PoolKeeper({
    ledger,
    pools: config.pools,
    timeZone: config.timeZone,
    port: reservations,
    rank: (id) => service.rank(id),
    shed: (id, pool) => {
      tally.shed(pool);
      reported(service.shed(id, pool), log, "pdp.shed-failed");
    },
    onRoom: (pool, room) => reported(router.resize(pool, room), log, "pdp.pool-resize-failed"),
    clock,
    log,
  });
  cleanup.add(() => keeper.close());
  const service: SessionService = new SessionService({
    ...sessionPolicy(config),
    quality: measurements.qualities,
    ledger: new TalliedPools(keeper, tally),
    authority,
    enforcement: router,
    store,
    clock,
    log,
    settle: (record) => settle(record, usage, records),
    onShed: (record) => sip.shed(record),
    directivesOf,
  });
  const sip: SipLink = new SipLink({
    ...{ service, clock, log, agent: config.name },
    rules: messageRules(config),
    onExchange: exchange,
    ...watchedProxies(liveness),
  });
  const control = reservationControl(context);
  await listen(context, sip, router, control);
  // Before anybody who connects is heard; and nothing is asked of the network by a server that cannot serve.
  keeper.start();
  usage?.start();
  liveness.start();
  const parts = { config, service, store, ledger, keeper, sip, router, tally, reservations };
  await answerControl(context, { ...parts, liveness, records, measurements }, control);
}

function reservationControl({ config, log, clock, cleanup }: RoleContext<PdpConfig>): ReservationControl | undefined {
  const { rsvp, cops } = config;
  if (rsvp === undefined) return undefined;
  return openReservationControl({ rsvp, keepAlive: cops.keepAlive, clock, log, cleanup });
}

/** In the transaction that closes the session. */
function settle(record: SessionRecord, usage: UsageSender | undefined, records: UsageRecords): void {
  usage?.settle(record);
  records.settle(record);
}

interface ControlParts extends PdpParts {
  readonly tally: PoolTally;
  readonly reservations: RsvpReservations;
  readonly liveness: Liveness;
  readonly records: UsageRecords;
  readonly measurements: Measurements;
}

async function answerControl(
  context: RoleContext<PdpConfig>,
  { tally, reservations, records, measurements, ...parts }: ControlParts,
  control: ReservationControl | undefined,
): Promise<void> {
  const { config, router, liveness } = parts;
  const history = recordPools(context, { ...parts, tally });
  const views = pdpViews(parts);
  await openControl(context, {
    show: {
      ...views.show,
      quality: () => pathViews(measurements.qualities.all()),
      live: () => liveView(liveness.usage(), context.clock.now()),
      records: (query) => recordsView(records, query),
      ...(control === undefined ? {} : { reservations: control.show }),
    },
    explain: views.explain,
    views: {
      series: async (query) => history.series(query),
    },
    actions: { ...pdpActions(parts), ...control?.actions },
    problems: () => [
      ...(router.connected ? [] : [`router ${config.access.router} is not connected`]),
      ...reservations.problems(),
      ...(control?.problems() ?? []),
    ],
    warnings: history.warnings,
  });
}

async function listen(
  { config, log, clock, cleanup }: RoleContext<PdpConfig>,
  sip: SipLink,
  router: RouterLink,
  control: ReservationControl | undefined,
) {
  const routerName = config.access.router;
  const accounting = accountingOf(config.liveness);
  const times = { keepAlive: config.cops.keepAlive / 1000, ...(accounting === undefined ? {} : { accounting }) };
  const handlers = policyServer({ sip, router, routerName, ...times, log });
  const server = new PdpServer(
    {
      ...config.cops.listen,
      clock,
      log,
      limits: { ...DEFAULT_COPS_LIMITS, maxMessage: config.cops.maxMessage, maxPending: MAX_POLICY },
      clientTypes: [config.cops.sipClientType, CLIENT_TYPE_DIFFSERV, ...(control?.clientTypes ?? [])],
    },
    control?.over(handlers) ?? handlers,
  );
  await server.listen();
  cleanup.add(() => server.close());
}

/** What sessions are judged by. */
const sessionPolicy = (config: PdpConfig) => ({
  rules: new RuleBook(config.rules, config.defaultTreatment),
  classes: byName(config.classes),
  sessionClasses: byName(config.sessionClasses),
  unmeasured: config.unmeasured,
  map: poolMap(config),
  linkOverhead: config.access.linkOverhead,
});

const byName = <Item extends { readonly name: string }>(items: readonly Item[]): ReadonlyMap<string, Item> =>
  new Map(items.map((item) => [item.name, item]));

const messageRules = ({ domain, access, media }: PdpConfig) => ({
  domain,
  prefixes: access.prefixes.flatMap((text) => parsePrefix(text) ?? []),
  symmetric: media.sourcePort === "symmetric",
});

/** What the router is told, whatever its sessions. */
const routerPolicy = (config: PdpConfig) => ({
  router: config.access.router,
  pools: config.pools.filter((pool) => isOfRouter(pool, config)),
  classes: config.classes.map((each) => ({ ...each, dscp: dscpOf(each.phb) })),
  tunnels: policyTunnels(config),
  timeout: config.routerTimeout,
});

/** Pools without communities are of every router; others of those at their ends. */
function isOfRouter({ from, to }: PdpConfig["pools"][number], { access, communities }: PdpConfig): boolean {
  if (from === undefined && to === undefined) return true;
  return communities.some(({ name, router }) => router === access.router && (name === from || name === to));
}

/** Work that nobody waits for. */
function reported(work: Promise<void>, log: Logger, event: string): void {
  work.catch((error: unknown) => log.error(event, { error }));
}

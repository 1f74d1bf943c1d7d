/** Composition root of the policy server. */
import { readFileSync } from "node:fs";
import type { PdpConfig } from "../config/pdp.js";
import { CLIENT_TYPE_DIFFSERV } from "../cops/codec/codes.js";
import { DEFAULT_COPS_LIMITS } from "../cops/endpoint/limits.js";
import { PdpServer } from "../cops/endpoint/pdp-server.js";
import { SystemError } from "../model/errors.js";
import { formatEndpoint, parsePrefix } from "../model/ip.js";
import type { Logger } from "../model/log.js";
import { dscpOf } from "../model/phb.js";
import type { SessionSide } from "../model/session.js";
import { seconds } from "../model/units.js";
import { OspClient } from "../osp/client.js";
import { loadTrust } from "../osp/token/signer.js";
import type { Authority, Grant } from "../pdp/authority.js";
import { LocalAuthority } from "../pdp/authority-local.js";
import { OspAuthority } from "../pdp/authority-osp.js";
import { AdmissionLedger } from "../pdp/ledger.js";
import { policyServer } from "../pdp/policy-server.js";
import { PoolKeeper } from "../pdp/pools/pool-keeper.js";
import { PoolTally, TalliedPools } from "../pdp/pools/pool-watch-tally.js";
import type { RsvpReservations } from "../pdp/pools/rsvp-reservations.js";
import { ReplayStore } from "../pdp/replay-store.js";
import type { PolicyAggregate } from "../pdp/router/aggregate-rows.js";
import { RouterLink } from "../pdp/router/router-link.js";
import { RuleBook } from "../pdp/rules.js";
import type { SessionRecord, StoredDirectives } from "../pdp/session-record.js";
import { SessionService } from "../pdp/session-service.js";
import { SessionStore } from "../pdp/session-store.js";
import { TOKEN_HEADER } from "../pdp/sip/message-reading.js";
import { SipLink } from "../pdp/sip/sip-link.js";
import { UsageSender } from "../pdp/usage-sender.js";
import { pdpActions } from "./pdp-actions.js";
import { openReservationControl, type ReservationControl } from "./pdp-outsourcing.js";
import { recordPools } from "./pdp-pool-history.js";
import { openReservations } from "./pdp-reservations.js";
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
  keepPruned(store, context);
  const { authority, usage } = openAuthority(context, store);
  const ledger = new AdmissionLedger([...config.pools, ...config.links]);
  const exchange = exchangeLog(events, "COPS", formatEndpoint(config.cops.listen.address, config.cops.listen.port));
  const reserve = (aggregate: PolicyAggregate) => router.reserve(aggregate);
  const reservations = openReservations(context, { events: () => keeper, reserve });
  const router: RouterLink = new RouterLink({
    ...routerPolicy(config),
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
    rules: new RuleBook(config.rules, config.defaultTreatment),
    classes: new Map(config.classes.map((serviceClass) => [serviceClass.name, serviceClass])),
    ledger: new TalliedPools(keeper, tally),
    map: poolMap(config),
    authority,
    enforcement: router,
    store,
    linkOverhead: config.access.linkOverhead,
    clock,
    log,
    settle: (record: SessionRecord) => usage?.settle(record),
    onShed: (record) => sip.shed(record),
    directivesOf,
  });
  const sip: SipLink = new SipLink({
    service,
    rules: messageRules(config),
    clock,
    log,
    agent: config.name,
    onExchange: exchange,
  });
  const { rsvp } = config;
  const keepAlive = config.cops.keepAlive;
  const control = rsvp === undefined ? undefined : openReservationControl({ rsvp, keepAlive, clock, log, cleanup });
  await listen(context, sip, router, control);
  // Before anybody who connects is heard; and nothing is asked of the network by a server that cannot serve.
  keeper.start();
  usage?.start();
  await answerControl(context, { config, service, store, ledger, keeper, sip, router, tally, reservations }, control);
}

async function answerControl(
  context: RoleContext<PdpConfig>,
  { tally, reservations, ...parts }: PdpParts & { readonly tally: PoolTally; readonly reservations: RsvpReservations },
  control: ReservationControl | undefined,
): Promise<void> {
  const { config, router } = parts;
  const history = recordPools(context, { ...parts, tally });
  const views = pdpViews(parts);
  await openControl(context, {
    show: { ...views.show, ...(control === undefined ? {} : { reservations: control.show }) },
    explain: views.explain,
    views: { series: async (query) => history.series(query) },
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
  const handlers = policyServer({ sip, router, routerName, keepAlive: config.cops.keepAlive / 1000, log });
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

/** Closed and refused sessions are explained for so long. */
const RETENTION = seconds(90 * 86_400);
const PRUNE_EVERY = seconds(6 * 3600);

function keepPruned(store: SessionStore, context: RoleContext<PdpConfig>): void {
  const { clock, cleanup } = context;
  store.prune(clock.now() - RETENTION);
  const timer = clock.after(PRUNE_EVERY, () => keepPruned(store, context));
  cleanup.add(() => timer.cancel());
}

interface AuthorityParts {
  readonly authority: Authority;
  readonly usage?: UsageSender;
}

function openAuthority(context: RoleContext<PdpConfig>, store: SessionStore): AuthorityParts {
  const { config, log, clock, cleanup, events } = context;
  const { clearinghouse, domain } = config;
  if (clearinghouse === "none") return { authority: new LocalAuthority(() => store.nextNumber("transaction")) };
  const client = new OspClient({
    url: clearinghouse.url,
    clock,
    log,
    timeout: clearinghouse.timeout,
    retries: clearinghouse.retries,
    // The clearinghouse knows us by the address we come from.
    localAddress: config.cops.listen.address,
    ...(clearinghouse.customerId === undefined ? {} : { customerId: clearinghouse.customerId }),
    deviceId: clearinghouse.deviceId ?? config.name,
    onMessage: (action, message, session, { from, to }) => {
      if (session !== undefined) events.record({ session, protocol: "OSP", message, action, from, to });
    },
  });
  cleanup.add(() => client.close());
  const usage = new UsageSender(store.database, client, log);
  cleanup.add(() => usage.close());
  const trust = loadTrust(clearinghouse.certificates.map(readCertificate));
  const replay = new ReplayStore(store.database, clock);
  return { authority: new OspAuthority({ client, trust, replay, domain, clock, log }), usage };
}

/** The token goes to the other side in the INVITE, and no further than its policy server. */
function directivesOf(grant: Grant, side: SessionSide): StoredDirectives {
  if (side === "terminating") return { addHeaders: [], removeHeaders: [TOKEN_HEADER] };
  const token = grant.token === undefined ? [] : [{ name: TOKEN_HEADER, value: grant.token }];
  const hop = grant.signalAddress === undefined ? {} : { nextHop: `sip:${grant.signalAddress}` };
  return { addHeaders: token, removeHeaders: [TOKEN_HEADER], ...hop };
}

function readCertificate(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const remedy = "correct `clearinghouse.certificates`: the clearinghouse's operator hands the file out";
    throw new SystemError("CERTIFICATE_FILE", `cannot read ${path}`, { remedy, cause });
  }
}

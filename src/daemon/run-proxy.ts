/** Composition root of the SIP proxy. */
import type { ProxyConfig } from "../config/proxy.js";
import { DEFAULT_COPS_LIMITS } from "../cops/endpoint/limits.js";
import { PepClient } from "../cops/endpoint/pep-client.js";
import type { KeyPair } from "../http/key-pair.js";
import { parsePrefix } from "../model/ip.js";
import type { Logger } from "../model/log.js";
import { DialogStore } from "../pep/sip/dialog-store.js";
import { registrationView } from "../pep/sip/registration-view.js";
import { SipPep } from "../pep/sip/sip-pep.js";
import { DnsLocator } from "../sip/location/dns-locator.js";
import { nodeLookups } from "../sip/location/dns-records.js";
import type { HostPort } from "../sip/message/grammar.js";
import { parseSipUri } from "../sip/message/uri.js";
import { ProxyCore } from "../sip/proxy/core.js";
import { dnsResolver } from "../sip/proxy/dns-resolver.js";
import type { ProxyOptions, RoutingTable } from "../sip/proxy/options.js";
import type { SipTimers } from "../sip/transaction/timers.js";
import { Transports } from "../sip/transport/transports.js";
import { proxyCounters } from "./counters.js";
import { policyServerProblems, policyServerView, RECONNECT } from "./policy-client.js";
import { openUserServices } from "./proxy-users.js";
import { sessionView } from "./proxy-views.js";
import { buildRole, exchangeLog, openControl, type RoleContext, type RunningRole } from "./role.js";
import { openTlsFiles, tlsHealth } from "./served-tls.js";

export const runProxy = (config: ProxyConfig, log: Logger): Promise<RunningRole> => buildRole(config, log, build);

async function build(context: RoleContext<ProxyConfig>): Promise<void> {
  const { config, log, clock, cleanup, events, statePath } = context;
  const store = new DialogStore(statePath("proxy.db"));
  cleanup.add(() => store.close());
  let client: PepClient | undefined;
  const pep = new SipPep({
    store,
    clock,
    log,
    agent: config.name,
    onLoss: config.pdp.onLoss,
    linger: config.linger,
    onSession: (callId, session) => events.alias(callId, session),
    onExchange: (session, message, action) => {
      const ends = client?.ends;
      if (ends === undefined) return;
      exchangeLog(events, "COPS", ends.local)(session, message, action, ends.remote);
    },
  });
  const tls = openTlsFiles(context, config.sip.websocket?.tls);
  const transport = await openTransports(context, tls?.pair);
  tls?.watch((pair) => transport.replaceTls(pair));
  const users = openUserServices(context);
  if (users !== undefined) transport.keepOnly((flow) => users.registrar.onFlow(flow).length > 0);
  const core = new ProxyCore({
    transport,
    clock,
    logger: log,
    policy: pep,
    table: routingTable(config),
    ...resolving(context, transport),
    ...(users === undefined ? {} : { users }),
    timers: timersOf(config),
    limits: { transactions: config.sip.maxTransactions },
    messageLog: events.record,
  });
  cleanup.add(() => core.close());
  client = new PepClient(
    {
      servers: config.pdp.servers,
      pepId: config.name,
      clientType: config.pdp.clientType,
      clock,
      log,
      limits: DEFAULT_COPS_LIMITS,
      requestTimeout: config.pdp.timeout,
      reconnect: RECONNECT,
    },
    pep,
  );
  const connected = client;
  cleanup.add(() => connected.close());
  pep.start(connected, core);
  const certificate = { what: "the certificate of the WebSocket", effect: "browsers refuse to connect" };
  const health = tlsHealth(tls, certificate, clock);
  await openControl(context, {
    show: {
      sessions: () => pep.dialogs().map(sessionView),
      peers: () => [policyServerView(connected, "COPS")],
      registrations: () => (users?.registrar.all() ?? []).map(registrationView),
      counters: () => proxyCounters({ core, transport, users }),
    },
    problems: () => [...policyServerProblems(connected), ...health.problems()],
    warnings: health.warnings,
  });
}

async function openTransports(
  { config, log, clock, cleanup }: RoleContext<ProxyConfig>,
  tls: KeyPair | undefined,
): Promise<Transports> {
  const { listen, tcp, websocket, connections } = config.sip;
  const { most, perSource, perMinute, messageTime, idle } = connections;
  const transports = await Transports.open({
    addresses: listen,
    tcp,
    webSocket: websocket === undefined ? undefined : { ...websocket, addresses: websocket.listen, tls },
    clock,
    logger: log,
    limits: { connections: most, perSource, perMinute, messageTime, idle },
  });
  cleanup.add(() => transports.close());
  return transports;
}

/** Next hops that are names. */
function resolving({ config, clock }: RoleContext<ProxyConfig>, transport: Transports): Pick<ProxyOptions, "resolver"> {
  if (!config.sip.dns) return {};
  const transports = config.sip.tcp ? (["udp", "tcp"] as const) : (["udp"] as const);
  return { resolver: dnsResolver(new DnsLocator({ lookups: nodeLookups(), clock, transports }), transport) };
}

/** The configuration says `c` where the proxy says `timerC`. */
function timersOf({ sip }: ProxyConfig): SipTimers {
  const { t1, t2, t4, c } = sip.timers;
  return { t1, t2, t4, timerC: c };
}

function routingTable({ sip }: ProxyConfig): RoutingTable {
  const hops = (entries: Readonly<Record<string, string>>): ReadonlyMap<string, HostPort> =>
    new Map(
      Object.entries(entries).flatMap(([name, text]) => {
        const uri = parseSipUri(text);
        return uri === undefined ? [] : [[name, { host: uri.host, port: uri.port }] as const];
      }),
    );
  const dnsPrefixes = sip.dnsPrefixes.flatMap((text) => parsePrefix(text) ?? []);
  return { domains: sip.domains, users: hops(sip.users), routes: hops(sip.routes), dns: sip.dns, dnsPrefixes };
}

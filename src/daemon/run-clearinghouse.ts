/** Composition root of the clearinghouse. */
import { readFileSync } from "node:fs";
import { DirectoryServer } from "../clearinghouse/directory/directory-server.js";
import { NickNames } from "../clearinghouse/directory/nick-names.js";
import { priceRules } from "../clearinghouse/price-rules.js";
import { settledView } from "../clearinghouse/record-view.js";
import { ClearinghouseServer } from "../clearinghouse/server.js";
import { openClearinghouseStore } from "../clearinghouse/sqlite-store.js";
import type { UsageRecord } from "../clearinghouse/store.js";
import type { ClearinghouseConfig } from "../config/clearinghouse.js";
import type { PeerView, UsageView } from "../control/views.js";
import { SystemError } from "../model/errors.js";
import { parsePrefix } from "../model/ip.js";
import type { Logger } from "../model/log.js";
import { seconds } from "../model/units.js";
import { addFlowCounters, ZERO_FLOW_COUNTERS } from "../model/usage.js";
import { formatSignalAddress } from "../osp/codec/fields.js";
import { loadSigner } from "../osp/token/signer.js";
import { expiryProblems, expiryWarnings } from "./certificate-expiry.js";
import { directoryCounters } from "./counters.js";
import { buildRole, openControl, type RoleContext, type RunningRole } from "./role.js";

export const runClearinghouse = (config: ClearinghouseConfig, log: Logger): Promise<RunningRole> =>
  buildRole(config, log, build);

async function build(context: RoleContext<ClearinghouseConfig>): Promise<void> {
  const { config, log, clock, cleanup, events, statePath } = context;
  const signer = loadSigner({
    keyPem: readSecret(config.signing.key),
    certificatePem: readSecret(config.signing.certificate),
  });
  const store = openClearinghouseStore(statePath("clearinghouse.db"));
  cleanup.add(() => store.close());
  const server = new ClearinghouseServer({
    listen: config.osp.listen,
    path: config.osp.path,
    rules: {
      peers: config.peers.map(({ name, addresses, domains }) => ({
        id: name,
        addresses,
        mayOriginate: true,
        mayTerminate: true,
        originatesFor: domains,
      })),
      destinations: config.destinations.map(({ domain, signal }) => ({
        domain,
        signalAddress: formatSignalAddress({ host: signal.address, port: signal.port }),
      })),
      tokenLifetime: config.token.lifetime / 1000,
      prices: priceRules(config.prices, config.shares),
    },
    limits: { settleAfter: config.settleAfter },
    signer,
    store,
    clock,
    log,
    onMessage: (action, message, session, { from, to }) => {
      if (session !== undefined) events.record({ session, protocol: "OSP", message, action, from, to });
    },
  });
  await server.listen();
  cleanup.add(() => server.close());
  const directory = await openDirectory(context);
  const since = clock.now();
  const expiry = {
    what: "the signing certificate",
    until: signer.certificate.notAfter,
    effect: "policy servers refuse its tokens",
  };
  await openControl(context, {
    show: {
      usage: () => server.usage().map(usageView),
      records: () => server.settled().map(settledView),
      counters: () => directoryCounters(directory),
      peers: () =>
        server.peers().map(
          ({ id, lastAddress, lastSeen }): PeerView => ({
            name: id,
            address: lastAddress ?? "",
            protocol: "OSP",
            state: lastSeen === undefined ? "not seen" : "seen",
            since: lastSeen ?? since,
          }),
        ),
    },
    problems: () => expiryProblems(expiry, clock.now()),
    warnings: () => expiryWarnings(expiry, clock.now()),
  });
}

async function openDirectory({
  config,
  log,
  clock,
  cleanup,
  statePath,
}: RoleContext<ClearinghouseConfig>): Promise<DirectoryServer | undefined> {
  if (config.directory === undefined) return undefined;
  const { listen, clients } = config.directory;
  const names = new NickNames(statePath("directory.db"), clock);
  cleanup.add(() => names.close());
  const rules = clients.flatMap(({ prefix: text, domains }) => {
    const prefix = parsePrefix(text);
    return prefix === undefined ? [] : [{ prefix, domains }];
  });
  const directory = new DirectoryServer({ listen, clients: rules, names, clock, log });
  await directory.listen();
  cleanup.add(() => directory.close());
  return directory;
}

function usageView(record: UsageRecord): UsageView {
  const { up, down } = record.traffic ?? { up: ZERO_FLOW_COUNTERS, down: ZERO_FLOW_COUNTERS };
  return {
    session: record.session ?? ("0".repeat(16) as UsageView["session"]),
    transaction: record.transactionId,
    reporter: record.peer,
    side: record.role,
    caller: record.source,
    callee: record.destination,
    start: record.start ?? record.receivedAt,
    duration: seconds(Math.max(0, record.seconds)),
    counters: addFlowCounters(up, down),
    up,
    down,
    cause:
      record.terminationCause === undefined ? "" : `${record.terminationCause.type} ${record.terminationCause.code}`,
  };
}

function readSecret(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const remedy = "correct `signing:`, or make the pair as docs/OPERATIONS.md shows";
    throw new SystemError("SIGNING_FILE", `cannot read ${path}`, { remedy, cause });
  }
}

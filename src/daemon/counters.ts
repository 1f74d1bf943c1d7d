/** What a SIP proxy, a portal and a directory of nick names count, a row for each. */
import type { DirectoryServer } from "../clearinghouse/directory/directory-server.js";
import type { CounterView, PortalView } from "../control/counter-views.js";
import type { ProxyCore } from "../sip/proxy/core.js";
import type { UserServices } from "../sip/proxy/user-services.js";
import type { Transports } from "../sip/transport/transports.js";

export interface ProxyParts {
  readonly core: Pick<ProxyCore, "counters" | "liveDialogs" | "liveTransactions" | "users">;
  readonly transport: Pick<Transports, "counters" | "connections">;
  readonly users: UserServices | undefined;
}

export function proxyCounters({ core, transport, users }: ProxyParts): readonly CounterView[] {
  const { counters, liveDialogs, liveTransactions } = core;
  const auth = users?.authentication?.verifier.counters;
  return [
    ...rows("sip", "counter", { ...counters }),
    ...rows("sip", "gauge", { dialogs: liveDialogs, transactions: liveTransactions }),
    ...rows("connections", "gauge", { open: transport.connections }),
    ...rows("connections", "counter", { ...transport.counters }),
    ...(users === undefined ? [] : rows("registrar", "counter", { ...users.registrar.counters })),
    ...(auth === undefined ? [] : rows("auth", "counter", { ...auth })),
    ...(core.users === undefined ? [] : rows("users", "counter", { ...core.users.counters })),
  ];
}

export function portalCounters({ users, logins, pages, connections, counters }: PortalView): readonly CounterView[] {
  return [
    ...rows("portal", "gauge", { users, logins, pages, connections }),
    ...rows(
      "portal",
      "counter",
      Object.fromEntries(Object.entries(counters).sort(([one], [other]) => (one < other ? -1 : 1))),
    ),
  ];
}

/** None where there is no directory. */
export const directoryCounters = (directory: Pick<DirectoryServer, "counters"> | undefined): readonly CounterView[] =>
  directory === undefined ? [] : rows("directory", "counter", { ...directory.counters });

const rows = (
  about: string,
  kind: CounterView["kind"],
  values: Readonly<Record<string, number>>,
): readonly CounterView[] =>
  Object.entries(values).map(([name, value]) => ({ counter: `${about}.${name}`, kind, value }));

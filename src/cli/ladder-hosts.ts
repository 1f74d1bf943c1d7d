/** Which host of the ladder an address belongs to, from what the roles themselves sent and received. */
import type { MessageEvent } from "../model/event.js";

/** The events of one role, with the host's name in the ladder: `SIP1`, `POL1` … */
export interface RoleEvents {
  readonly host: string;
  readonly events: readonly MessageEvent[];
}

/** Gives the host of `address:port`, or the text itself when nobody claims it. */
export type HostLookup = (endpoint: string) => string;

/** `10.1.0.5` of `10.1.0.5:5060`, `fd01::5` of `[fd01::5]:5060`. */
export function addressOf(endpoint: string): string {
  const bracket = /^\[([^\]]*)\]/.exec(endpoint);
  if (bracket !== null) return bracket[1] ?? endpoint;
  const colons = endpoint.split(":").length - 1;
  return colons === 1 ? endpoint.slice(0, endpoint.indexOf(":")) : endpoint;
}

/** The role's own end of a message. */
const ownEnd = (event: MessageEvent): string => (event.action === "sent" ? event.from : event.to);

/**
 * @param given - addresses with their hosts, as the operator named them; they win
 */
export function lookupOf(roles: readonly RoleEvents[], given: ReadonlyMap<string, string>): HostLookup {
  const byEndpoint = new Map<string, string>();
  const byAddress = new Map<string, Set<string>>();
  for (const { host, events } of roles) {
    for (const event of events) {
      const own = ownEnd(event);
      byEndpoint.set(own, host);
      const address = addressOf(own);
      byAddress.set(address, (byAddress.get(address) ?? new Set()).add(host));
    }
  }
  const known: HostLookup = (endpoint) => {
    const address = addressOf(endpoint);
    const named = given.get(endpoint) ?? given.get(address) ?? byEndpoint.get(endpoint);
    if (named !== undefined) return named;
    // Roles that share an address are told apart by port only.
    const hosts = byAddress.get(address);
    return hosts?.size === 1 ? ([...hosts][0] ?? endpoint) : endpoint;
  };
  const agents = agentsOf(roles, known);
  return (endpoint) => {
    const host = known(endpoint);
    return host === endpoint ? (agents.get(addressOf(endpoint)) ?? addressOf(endpoint)) : host;
  };
}

/** The ends of the session are no roles of ours: the first sender and the last receiver of the INVITE. */
function agentsOf(roles: readonly RoleEvents[], known: HostLookup): ReadonlyMap<string, string> {
  const agents = new Map<string, string>();
  for (const event of roles.flatMap(({ events }) => events)) {
    if (event.protocol !== "SIP" || event.message !== "INVITE") continue;
    if (event.action === "received" && known(event.from) === event.from) agents.set(addressOf(event.from), "UAC");
    if (event.action === "sent" && known(event.to) === event.to) agents.set(addressOf(event.to), "UAS");
  }
  return agents;
}

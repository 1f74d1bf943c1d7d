/** Where a request goes: RFC 3261 §16.4, §16.5 and §16.6 steps 2 to 7. Pure. */
import { parseAddress } from "../../model/ip.js";
import { bracketHost, type HostPort } from "../message/grammar.js";
import type { SipRequest } from "../message/message.js";
import { parseNameAddr, parseSipUri, type SipUri } from "../message/uri.js";
import type { LocalPoint } from "../transport/transport.js";
import { DEFAULT_PORT } from "../transport/via-routing.js";
import { type Hop, hopOf } from "./hop.js";
import type { RoutingTable } from "./options.js";

export type Target =
  | { readonly kind: "found"; readonly request: SipRequest; readonly hop: Hop }
  | { readonly kind: "none"; readonly status: 400 | 404 | 503; readonly phrase: string };

export interface RegisteredAgent {
  /** What the Request-URI becomes. */
  readonly contact: string;
  readonly hop: Hop;
}

export type AgentFinder = (user: SipUri) => RegisteredAgent | undefined;

export class Router {
  private readonly table: RoutingTable;
  private readonly agents: AgentFinder;
  private readonly domains: ReadonlySet<string>;
  private readonly locals: readonly LocalPoint[];

  /** @param agents - where a user of these domains has registered, if anywhere */
  constructor(table: RoutingTable, locals: readonly LocalPoint[], agents: AgentFinder = () => undefined) {
    this.table = table;
    this.agents = agents;
    this.domains = new Set(table.domains.map((domain) => domain.toLowerCase()));
    this.locals = locals;
  }

  /** True for a host and port at which this proxy itself listens. */
  isSelf(place: HostPort): boolean {
    const address = parseAddress(place.host);
    const port = place.port ?? DEFAULT_PORT;
    return this.locals.some((local) => local.address === address && local.port === port);
  }

  isDomain(name: string): boolean {
    return this.domains.has(name);
  }

  get firstDomain(): string | undefined {
    return [...this.domains][0];
  }

  /** True for this proxy and for the domains that it is responsible for. */
  isOurs(place: HostPort): boolean {
    return this.domains.has(place.host) || this.isSelf(place);
  }

  /** §16.4: undoes a strict router's rewriting, and takes away the Route entries that brought the request here. */
  preprocess(request: SipRequest): SipRequest {
    let result = request;
    const uri = parseSipUri(request.requestUri);
    const last = request.routes.at(-1);
    // §16.4: the Request-URI is a value that this proxy put into Record-Route: the real one is the last Route.
    if (last !== undefined && uri?.parameters.has("lr") && uri.user === undefined && this.isSelf(uri)) {
      result = result.removeLastRoute().replaceRequestUri(parseNameAddr(last)?.uri ?? last);
    }
    // §16.4: the first Route is this proxy. There are two if it recorded one for each address family (RFC 5658 §5).
    for (let top = routeUri(result); top !== undefined && this.isOurs(top); top = routeUri(result)) {
      result = result.removeTopRoute();
    }
    return result;
  }

  /** @param request - after `preprocess` */
  target(request: SipRequest): Target {
    if (request.routes.length > 0) return alongRoute(request);
    const uri = parseSipUri(request.requestUri);
    if (uri === undefined) return { kind: "none", status: 400, phrase: "Bad Request-URI" };
    return this.isOurs(uri) ? this.toUser(request, uri) : this.toDomain(request, uri);
  }

  /** §16.5: this proxy is responsible for the domain: the static table comes first, then who has registered. */
  private toUser(request: SipRequest, uri: SipUri): Target {
    const user = uri.user ?? "";
    const agent = this.staticUser(uri);
    if (agent === undefined) return this.toAgent(request, uri);
    const port = agent.port === undefined ? "" : `:${agent.port}`;
    const contact = `sip:${user === "" ? "" : `${user}@`}${bracketHost(agent.host)}${port}`;
    return { kind: "found", request: request.replaceRequestUri(contact), hop: agent };
  }

  /** Where the table says that a user of these domains is; undefined if it does not name the user. */
  staticUser(uri: SipUri): HostPort | undefined {
    const user = uri.user ?? "";
    return this.table.users.get(`${user}@${uri.host}`) ?? this.table.users.get(user);
  }

  /** §16.5: one target only: the binding that the user's agents want most. */
  private toAgent(request: SipRequest, uri: SipUri): Target {
    const agent = this.agents(uri);
    if (agent === undefined) return { kind: "none", status: 404, phrase: "Not Found" };
    return { kind: "found", request: request.replaceRequestUri(agent.contact), hop: agent.hop };
  }

  /** §16.5: another's domain: the Request-URI stays as it is. */
  private toDomain(request: SipRequest, uri: SipUri): Target {
    const exact = this.table.routes.get(uri.host);
    if (exact !== undefined) return { kind: "found", request, hop: exact };
    // A Contact that a dialog gave us is gone to directly; outside a dialog this would be an open relay.
    if (request.toTag !== undefined) return towards(request, uri);
    const rest = this.table.routes.get("*");
    if (rest !== undefined) return { kind: "found", request, hop: rest };
    // RFC 3263: whoever is named there answers for the domain.
    if (this.table.dns === true) return towards(request, uri);
    return { kind: "none", status: 404, phrase: "No Route" };
  }
}

function towards(request: SipRequest, uri: SipUri): Target {
  const hop = hopOf(uri);
  // RFC 3263 §4.1: the URI names a transport, and there is no other way to what wants it.
  return hop === undefined ? { kind: "none", status: 404, phrase: "No Transport" } : { kind: "found", request, hop };
}

function routeUri(request: SipRequest): SipUri | undefined {
  const top = request.routes[0];
  return top === undefined ? undefined : parseSipUri(parseNameAddr(top)?.uri ?? "");
}

function alongRoute(request: SipRequest): Target {
  const top = routeUri(request);
  if (top === undefined) return { kind: "none", status: 400, phrase: "Bad Route" };
  if (top.parameters.has("lr")) return towards(request, top);
  // §16.6 step 6: the next hop is a strict router: it wants itself in the Request-URI, and the target at the end.
  const uri = parseNameAddr(request.routes[0] ?? "")?.uri ?? request.requestUri;
  const rewritten = request.removeTopRoute().appendRoute(`<${request.requestUri}>`).replaceRequestUri(uri);
  return towards(rewritten, top);
}

/** §16.6 step 3: one less, or 70 where there was none. The validator of the core has seen that it is above 0. */
export function decrementMaxForwards(request: SipRequest): SipRequest {
  const left = request.maxForwards;
  return request.setHeader("Max-Forwards", String(left === undefined ? 70 : Math.max(0, left - 1)));
}

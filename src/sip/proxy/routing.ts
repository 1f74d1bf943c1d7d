/** Where a request goes: RFC 3261 §16.4, §16.5 and §16.6 steps 2 to 7. Pure. */
import { parseAddress } from "../../model/ip.js";
import { bracketHost, type HostPort } from "../message/grammar.js";
import type { SipRequest } from "../message/message.js";
import { parseNameAddr, parseSipUri, type SipUri } from "../message/uri.js";
import type { LocalPoint } from "../transport/transport.js";
import { DEFAULT_PORT } from "../transport/via-routing.js";
import { type DialogLeg, hopsTowards, routeUri } from "./dialog-legs.js";
import { type Hop, hopOf } from "./hop.js";
import type { RoutingTable } from "./options.js";
import { Reach } from "./reach.js";

/** `open`: only its sender names the hop, so the name must not lead to where `Reach.isOpen` says no. */
export type Target =
  | { readonly kind: "found"; readonly request: SipRequest; readonly hop: Hop; readonly open?: boolean }
  | { readonly kind: "none"; readonly status: 400 | 403 | 404; readonly phrase: string };

export interface RegisteredAgent {
  /** What the Request-URI becomes. */
  readonly contact: string;
  readonly hop: Hop;
}

export type AgentFinder = (user: SipUri) => RegisteredAgent | undefined;

/** A request without the Route entries of this proxy that brought it here, and these entries. */
interface Brought {
  readonly request: SipRequest;
  readonly own: readonly SipUri[];
}

/** Route entries of this proxy on top: two for each time that it is in the path (RFC 5658 §5), and it may be there twice. */
const MAX_OWN_ROUTES = 4;

export class Router {
  readonly reach: Reach;
  private readonly table: RoutingTable;
  private readonly agents: AgentFinder;
  private readonly domains: ReadonlySet<string>;
  private readonly locals: readonly LocalPoint[];
  private readonly brought = new WeakMap<SipRequest, Brought>();

  /** @param agents - where a user of these domains has registered, if anywhere */
  constructor(table: RoutingTable, locals: readonly LocalPoint[], agents: AgentFinder = () => undefined) {
    this.table = table;
    this.reach = new Reach(table);
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

  /** As `isOurs`, of a URI as it is written. */
  isOursBy(text: string): boolean {
    const uri = parseSipUri(text);
    return uri !== undefined && this.isOurs(uri);
  }

  /** §16.4: undoes a strict router's rewriting, and takes away the Route entries that brought the request here. */
  preprocess(request: SipRequest): SipRequest {
    return this.bring(request).request;
  }

  /** The Route entries that `preprocess` takes away, topmost first. */
  ownRoutes(request: SipRequest): readonly SipUri[] {
    return this.bring(request).own;
  }

  /** Once for each request: strangers may send as many entries as a message holds, and several places ask. */
  private bring(request: SipRequest): Brought {
    const before = this.brought.get(request);
    if (before !== undefined) return before;
    let result = this.undoStrict(request);
    const own = this.leadingOwn(result.routes);
    for (let left = own.length; left > 0; left -= 1) result = result.removeTopRoute();
    const brought = { request: result, own };
    this.brought.set(request, brought);
    return brought;
  }

  /** §16.4: the Request-URI is a value that this proxy put into Record-Route: the real one is the last Route. */
  private undoStrict(request: SipRequest): SipRequest {
    const uri = parseSipUri(request.requestUri);
    if (uri === undefined || !uri.parameters.has("lr") || uri.user !== undefined || !this.isSelf(uri)) return request;
    const last = request.routes.at(-1);
    if (last === undefined) return request;
    return request.removeLastRoute().replaceRequestUri(parseNameAddr(last)?.uri ?? last);
  }

  /** §16.4: the first Route is this proxy. None if there are too many: `target` refuses what still leads here. */
  private leadingOwn(routes: readonly string[]): readonly SipUri[] {
    const own: SipUri[] = [];
    for (const route of routes) {
      const uri = routeUri(route);
      if (uri === undefined || !this.isOurs(uri)) break;
      if (own.length === MAX_OWN_ROUTES) return [];
      own.push(uri);
    }
    return own;
  }

  /**
   * @param request - after `preprocess`
   * @param leg - of its dialog, that of the party that it goes to; none outside a dialog that is known here
   */
  target(request: SipRequest, leg?: DialogLeg): Target {
    if (request.routes.length > 0) return this.alongRoute(request, leg);
    const uri = parseSipUri(request.requestUri);
    if (uri === undefined) return { kind: "none", status: 400, phrase: "Bad Request-URI" };
    return this.isOurs(uri) ? this.toUser(request, uri) : this.toDomain(request, uri, leg);
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

  /** Where a hop of that domain is; undefined if the table does not name the domain. */
  routeTo(domain: string): HostPort | undefined {
    return this.table.routes.get(domain);
  }

  /** §16.5: another's domain: the Request-URI stays as it is. */
  private toDomain(request: SipRequest, uri: SipUri, leg: DialogLeg | undefined): Target {
    const exact = this.routeTo(uri.host);
    if (exact !== undefined) return { kind: "found", request, hop: exact };
    // A Contact that a dialog gave us is gone to directly.
    if (request.toTag !== undefined) return this.towards(request, uri, leg);
    const rest = this.routeTo("*");
    if (rest !== undefined) return { kind: "found", request, hop: rest };
    // RFC 3263: whoever is named there answers for the domain.
    if (this.table.dns === true) return this.towards(request, uri, leg);
    return { kind: "none", status: 404, phrase: "No Route" };
  }

  private alongRoute(request: SipRequest, leg: DialogLeg | undefined): Target {
    const [first = ""] = request.routes;
    const top = routeUri(first);
    if (top === undefined) return { kind: "none", status: 400, phrase: "Bad Route" };
    if (this.isOurs(top)) return { kind: "none", status: 400, phrase: "Too Many Routes To Here" };
    if (top.parameters.has("lr")) return this.towards(request, top, leg);
    // §16.6 step 6: the next hop is a strict router: it wants itself in the Request-URI, and the target at the end.
    const uri = parseNameAddr(first)?.uri ?? request.requestUri;
    const rewritten = request.removeTopRoute().appendRoute(`<${request.requestUri}>`).replaceRequestUri(uri);
    return this.towards(rewritten, top, leg);
  }

  /** To where the request itself says. */
  private towards(request: SipRequest, uri: SipUri, leg: DialogLeg | undefined): Target {
    const hop = hopOf(uri);
    // RFC 3263 §4.1: the URI names a transport, and there is no other way to what wants it.
    if (hop === undefined) return { kind: "none", status: 404, phrase: "No Transport" };
    const leave = this.reach.leave(hop, leg === undefined ? [] : hopsTowards(leg));
    if (leave === "closed") return NOT_RELAYED;
    return { kind: "found", request, hop, open: leave === "open" };
  }
}

/** Where this proxy does not send what it is asked to. */
export const NOT_RELAYED = { kind: "none", status: 403, phrase: "Not Relayed There" } as const;

/** §16.6 step 3: one less, or 70 where there was none. The validator of the core has seen that it is above 0. */
export function decrementMaxForwards(request: SipRequest): SipRequest {
  const left = request.maxForwards;
  return request.setHeader("Max-Forwards", String(left === undefined ? 70 : Math.max(0, left - 1)));
}

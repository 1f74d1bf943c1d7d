/** Makes the request that goes on out of the one that came: RFC 3261 §16.6, with RFC 5626 §5.3 for connections. */
import type { SipMessage, SipRequest } from "../message/message.js";
import { formatVia } from "../message/via.js";
import type { FlowTokens } from "../transport/flow-token.js";
import {
  type Destination,
  type FlowId,
  isWebSocket,
  type LocalPoint,
  localFor,
  type SipTransport,
} from "../transport/transport.js";
import type { BranchMaker } from "./branch.js";
import type { DialogLeg } from "./dialog-legs.js";
import { type Hop, literalHop } from "./hop.js";
import type { HostResolver } from "./options.js";
import type { Edits } from "./policy.js";
import { onlyFlowTo, routedFlow, withRecordRoutes } from "./record-route.js";
import { decrementMaxForwards, NOT_RELAYED, type Router } from "./routing.js";

export interface Outgoing {
  readonly kind: "ready";
  /** With our Via on top. */
  readonly request: SipRequest;
  readonly local: LocalPoint;
  readonly remote: Destination;
  /** This proxy is in the dialog's path. */
  readonly recorded: boolean;
}

export interface Unroutable {
  readonly kind: "unroutable";
  readonly status: 400 | 403 | 404 | 430 | 503;
  readonly phrase: string;
}

export interface ForwarderOptions {
  readonly router: Router;
  readonly branches: BranchMaker;
  readonly transport: SipTransport;
  readonly tokens: FlowTokens;
  readonly resolver?: HostResolver | undefined;
  /** Told of what is not sent to where its sender wants it. */
  readonly notRelayed: (source: Destination | undefined) => void;
}

/** §18.1.1: octets of the largest request that goes by UDP where the path's MTU is unknown. */
export const LARGEST_BY_UDP = 1300;

export interface ForwardWish {
  /** The local address that the request arrived at. */
  readonly arrival: LocalPoint;
  /** Where it came from; none for what this proxy makes itself. */
  readonly source?: Destination | undefined;
  readonly edits?: Edits;
  /** Taken instead of what the request says. */
  readonly nextHop?: Hop | undefined;
  /** Taken instead of all else: the connection that the request must go by. */
  readonly flow?: FlowId | undefined;
  /** Of the request's dialog, that of the party that it goes to. */
  readonly leg?: DialogLeg | undefined;
  readonly branch?: string;
  /** Not to stay in the dialog; without effect where a party is reached by its connection only. */
  readonly direct?: boolean | undefined;
}

interface Aimed {
  readonly kind: "aimed";
  /** Without what brought it here. */
  readonly request: SipRequest;
  readonly hop: Hop;
  readonly open?: boolean;
}

interface Ends {
  readonly local: LocalPoint;
  readonly remote: Destination;
}

export class Forwarder {
  private readonly options: ForwarderOptions;

  constructor(options: ForwarderOptions) {
    this.options = options;
  }

  /** What is wrong with the request's target before anybody is asked; undefined if it has one. */
  check(received: SipRequest, source?: Destination): Unroutable | undefined {
    const aimed = this.aim(received, { source });
    return aimed.kind === "unroutable" ? aimed : undefined;
  }

  /** Waits for what it must: a name's address, or a connection for a large request. */
  async prepare(received: SipRequest, wish: ForwardWish): Promise<Outgoing | Unroutable> {
    const aimed = this.aim(received, wish);
    if (aimed.kind === "unroutable") return aimed;
    const resolved = this.ends(aimed.hop, wish) ?? (await this.resolve(aimed, wish));
    if ("kind" in resolved) return resolved;
    const made = this.make(received, { ...resolved, request: aimed.request }, wish);
    const byTcp = this.largerThanUdp(made);
    // §18.1.1: a hop that takes no connection gets it over UDP after all.
    if (byTcp === undefined || !(await this.options.transport.reach(byTcp.local, byTcp.remote))) return made;
    return this.make(received, { ...byTcp, request: aimed.request }, wish);
  }

  /** As `prepare`, but at once: undefined if there is something to wait for. */
  prepareNow(received: SipRequest, wish: ForwardWish): Outgoing | Unroutable | undefined {
    const aimed = this.aim(received, wish);
    if (aimed.kind === "unroutable") return aimed;
    const ends = this.ends(aimed.hop, wish);
    if (ends === undefined || "kind" in ends) return ends;
    const made = this.make(received, { ...ends, request: aimed.request }, wish);
    return this.largerThanUdp(made) === undefined ? made : undefined;
  }

  private aim(
    received: SipRequest,
    wish: Pick<ForwardWish, "source" | "nextHop" | "flow" | "leg">,
  ): Aimed | Unroutable {
    const { router, tokens } = this.options;
    const request = router.preprocess(received);
    const toFlow = (flow: FlowId): Aimed => ({ kind: "aimed", request, hop: { host: "", port: undefined, flow } });
    if (wish.flow !== undefined) return toFlow(wish.flow);
    if (wish.nextHop !== undefined) return { kind: "aimed", request, hop: wish.nextHop };
    const routed = routedFlow(router.ownRoutes(received), { tokens, source: wish.source });
    // RFC 5626 §5.3.1: who changed a token is told so.
    if (routed.kind === "forged") return { kind: "unroutable", status: 403, phrase: "Forged Flow Token" };
    if (routed.kind === "flow") return toFlow(routed.flow);
    const target = router.target(request, wish.leg);
    if (target === NOT_RELAYED) return this.refuse(wish);
    return target.kind === "found" ? { ...target, kind: "aimed" } : { ...target, kind: "unroutable" };
  }

  private refuse({ source }: Pick<ForwardWish, "source">): Unroutable {
    this.options.notRelayed(source);
    return { ...NOT_RELAYED, kind: "unroutable" };
  }

  /** Of a hop that is an address or a connection; undefined for a name. */
  private ends(hop: Hop, wish: ForwardWish): Ends | Unroutable | undefined {
    if (hop.flow !== undefined) {
      // RFC 5626 §5.3.1: the connection is gone.
      return this.options.transport.flow(hop.flow) ?? { kind: "unroutable", status: 430, phrase: "Flow Failed" };
    }
    const remote = literalHop(hop);
    return remote === undefined ? undefined : this.facing(remote, wish);
  }

  private async resolve({ hop, open }: Aimed, wish: ForwardWish): Promise<Ends | Unroutable> {
    const remote = await this.options.resolver?.(hop).catch(() => undefined);
    if (remote === undefined) return NO_ADDRESS;
    if (open === true && !this.options.router.reach.isOpen(remote.address)) return this.refuse(wish);
    return this.facing({ ...remote, transport: remote.transport ?? "udp" }, wish);
  }

  private facing(remote: Destination, wish: ForwardWish): Ends | Unroutable {
    const local = localFor(this.options.transport, remote, wish.arrival);
    // Nobody can connect to a browser (RFC 7118 §5.3).
    return local === undefined || isWebSocket(remote.transport) ? NO_ADDRESS : { local, remote };
  }

  private make(received: SipRequest, to: Ends & { readonly request: SipRequest }, wish: ForwardWish): Outgoing {
    const { tokens, branches } = this.options;
    const { local, remote } = to;
    const tokenOf = (flow: FlowId | undefined) => (flow === undefined ? undefined : tokens.make(flow));
    const near = { local: wish.arrival, token: tokenOf(onlyFlowTo(received, wish.source)) };
    const far = { local, token: tokenOf(remote.flow) };
    const isDirect = wish.direct === true && near.token === undefined && far.token === undefined;
    // §16.6 step 4: of the dialogs of other methods this proxy remembers nothing, so it is no use in their path.
    const recorded = received.method === "INVITE" && !isDirect;
    let request = decrementMaxForwards(applyEdits(to.request, wish.edits));
    if (recorded) request = withRecordRoutes(request, near, far);
    const branch = wish.branch ?? branches.make(received);
    return { kind: "ready", request: request.prependVia(formatVia(local, branch)), local, remote, recorded };
  }

  /** §18.1.1: by TCP instead, if there is a listener for what the hop will send back. */
  private largerThanUdp({ request, local, remote }: Outgoing): Ends | undefined {
    if (remote.transport !== "udp" || octetsOf(request) <= LARGEST_BY_UDP) return undefined;
    const byTcp = { ...remote, transport: "tcp" } as const;
    const listener = localFor(this.options.transport, byTcp, local);
    return listener === undefined ? undefined : { local: listener, remote: byTcp };
  }
}

const NO_ADDRESS: Unroutable = { kind: "unroutable", status: 503, phrase: "No Address For Next Hop" };

/** Octets on the wire. */
function octetsOf(message: SipMessage): number {
  const lines = message.headers.reduce((sum, line) => sum + line.raw.length + 2, message.startLine.length + 4);
  return lines + message.body.length;
}

/** Removes first, so that a header can be replaced. @throws ProtocolError SIP_HEADER_ILLEGAL */
export function applyEdits<M extends SipMessage>(message: M, edits: Edits | undefined): M {
  let result = message;
  for (const name of edits?.removeHeaders ?? []) result = result.removeHeader(name);
  for (const header of edits?.addHeaders ?? []) result = result.addHeader(header.name, header.value);
  return result;
}

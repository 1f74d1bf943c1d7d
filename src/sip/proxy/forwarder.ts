/** Makes the request that goes on out of the one that came: RFC 3261 §16.6. */
import { parseAddress } from "../../model/ip.js";
import type { HostPort } from "../message/grammar.js";
import type { SipMessage, SipRequest } from "../message/message.js";
import { formatVia } from "../message/via.js";
import { localFor, type SipTransport, type SocketAddress, sameSocket } from "../transport/transport.js";
import { DEFAULT_PORT } from "../transport/via-routing.js";
import type { BranchMaker } from "./branch.js";
import type { HostResolver } from "./options.js";
import type { Edits } from "./policy.js";
import { decrementMaxForwards, type Router, recordRouteOf } from "./routing.js";

export interface Outgoing {
  readonly kind: "ready";
  /** With our Via on top. */
  readonly request: SipRequest;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

export interface Unroutable {
  readonly kind: "unroutable";
  readonly status: 400 | 404 | 503;
  readonly phrase: string;
}

export interface ForwarderOptions {
  readonly router: Router;
  readonly branches: BranchMaker;
  readonly transport: SipTransport;
  readonly resolver?: HostResolver | undefined;
}

/** Methods whose dialogs this proxy stays in (§16.6 step 4). */
const DIALOG_MAKERS = new Set(["INVITE", "SUBSCRIBE", "REFER"]);

export interface ForwardWish {
  /** The local address that the request arrived at. */
  readonly arrival: SocketAddress;
  readonly edits?: Edits;
  readonly nextHop?: HostPort | undefined;
  readonly branch?: string;
}

export class Forwarder {
  private readonly options: ForwarderOptions;

  constructor(options: ForwarderOptions) {
    this.options = options;
  }

  /** What is wrong with the request's target before anybody is asked; undefined if it has one. */
  check(received: SipRequest): Unroutable | undefined {
    const target = this.options.router.target(this.options.router.preprocess(received));
    return target.kind === "found" ? undefined : { ...target, kind: "unroutable" };
  }

  /** Without a wait if the next hop is an address: undefined then means that it is not. */
  async prepare(received: SipRequest, wish: ForwardWish): Promise<Outgoing | Unroutable> {
    const aimed = this.aim(received, wish.nextHop);
    if (aimed.kind === "unroutable") return aimed;
    const remote = literal(aimed.hop) ?? (await this.options.resolver?.(aimed.hop).catch(() => undefined));
    return this.finish(received, { ...aimed, remote }, wish);
  }

  /** As `prepare`, but at once; only for hops that are addresses. */
  prepareNow(received: SipRequest, wish: ForwardWish): Outgoing | Unroutable | undefined {
    const aimed = this.aim(received, wish.nextHop);
    if (aimed.kind === "unroutable") return aimed;
    const remote = literal(aimed.hop);
    return remote === undefined ? undefined : this.finish(received, { ...aimed, remote }, wish);
  }

  private aim(
    received: SipRequest,
    nextHop: HostPort | undefined,
  ): { kind: "found"; request: SipRequest; hop: HostPort } | Unroutable {
    const { router } = this.options;
    const request = router.preprocess(received);
    if (nextHop !== undefined) return { kind: "found", request, hop: nextHop };
    const target = router.target(request);
    return target.kind === "found" ? target : { ...target, kind: "unroutable" };
  }

  private finish(
    received: SipRequest,
    aimed: { readonly request: SipRequest; readonly remote: SocketAddress | undefined },
    wish: ForwardWish,
  ): Outgoing | Unroutable {
    const { transport, branches } = this.options;
    const { remote } = aimed;
    const local = remote === undefined ? undefined : localFor(transport, remote, wish.arrival);
    if (remote === undefined || local === undefined) {
      return { kind: "unroutable", status: 503, phrase: "No Address For Next Hop" };
    }
    let request = decrementMaxForwards(applyEdits(aimed.request, wish.edits));
    if (DIALOG_MAKERS.has(request.method)) {
      // RFC 5658 §5: between two addresses both are recorded, the one that faces the next hop on top.
      if (!sameSocket(local, wish.arrival)) request = request.prependRecordRoute(recordRouteOf(wish.arrival));
      request = request.prependRecordRoute(recordRouteOf(local));
    }
    const branch = wish.branch ?? branches.make(received);
    return { kind: "ready", request: request.prependVia(formatVia(local, branch)), local, remote };
  }
}

/** Removes first, so that a header can be replaced. @throws ProtocolError SIP_HEADER_ILLEGAL */
export function applyEdits<M extends SipMessage>(message: M, edits: Edits | undefined): M {
  let result = message;
  for (const name of edits?.removeHeaders ?? []) result = result.removeHeader(name);
  for (const header of edits?.addHeaders ?? []) result = result.addHeader(header.name, header.value);
  return result;
}

function literal(hop: HostPort): SocketAddress | undefined {
  const address = parseAddress(hop.host);
  return address === undefined ? undefined : { address, port: hop.port ?? DEFAULT_PORT };
}

/** Joins the two kinds of COPS clients: proxies that ask, and the router that enforces. */
import { CLIENT_TYPE_DIFFSERV, COPS_ERROR } from "../cops/codec/codes.js";
import type { DrqMessage, ReqMessage, RptMessage } from "../cops/codec/message.js";
import type { DecisionBody, PdpHandlers } from "../cops/endpoint/pdp-handlers.js";
import type { PdpPeer } from "../cops/endpoint/pdp-peer.js";
import type { Logger } from "../model/log.js";
import type { RouterLink } from "./router/router-link.js";
import type { SipLink } from "./sip/sip-link.js";

export interface PolicyServerOptions {
  readonly sip: SipLink;
  readonly router: RouterLink;
  /** The only router that is let in: it would be given our sessions. */
  readonly routerName: string;
  /** Seconds. */
  readonly keepAlive: number;
  /** Seconds between a router's reports of what flows have carried so far; none if undefined. */
  readonly accounting?: number;
  readonly log: Logger;
}

export function policyServer({
  sip,
  router,
  routerName,
  keepAlive,
  accounting,
  log,
}: PolicyServerOptions): PdpHandlers {
  const isRouter = (peer: PdpPeer): boolean => peer.clientType === CLIENT_TYPE_DIFFSERV;
  const failed = (what: string) => (error: unknown) => log.error("pdp.failed", { what, error });
  return {
    open(peer) {
      if (!isRouter(peer)) return { accept: true, keepAlive };
      if (peer.pepId === routerName) {
        return { accept: true, keepAlive, ...(accounting === undefined ? {} : { accounting }) };
      }
      log.warn("pdp.router-refused", { router: peer.pepId, expected: routerName });
      return { accept: false, error: { code: COPS_ERROR.authenticationFailure, subCode: 0 } };
    },
    opened(peer) {
      log.info("pdp.peer-open", { peer: peer.pepId, clientType: peer.clientType });
      if (!isRouter(peer)) sip.opened(peer);
    },
    request(peer: PdpPeer, req: ReqMessage): Promise<DecisionBody> {
      return isRouter(peer) ? Promise.resolve(router.request(peer, req)) : sip.request(peer, req);
    },
    answered(peer: PdpPeer) {
      if (isRouter(peer)) router.answered(peer);
    },
    report(peer: PdpPeer, rpt: RptMessage) {
      if (isRouter(peer)) router.report(peer, rpt);
      else sip.report(peer, rpt);
    },
    deleted(peer: PdpPeer, drq: DrqMessage) {
      if (!isRouter(peer)) sip.deleted(peer, drq.handle).catch(failed("delete request"));
    },
    synchronized(peer: PdpPeer) {
      if (!isRouter(peer)) sip.synchronized(peer).catch(failed("synchronisation"));
    },
    closed(peer: PdpPeer, reason: string) {
      if (isRouter(peer)) router.closed(peer, reason);
      else sip.closed(peer, reason);
    },
  };
}

/** Decides AuthorisationRequests: of the originating side with a new token, of the terminating side about the one it got. */
import type { Timestamp } from "../model/units.js";
import { CALL_ID_OCTETS } from "../osp/codec/authorisation.js";
import type { AuthorisationRequest, AuthorisationResponse, Destination, TransactionId } from "../osp/codec/messages.js";
import { STATUS, type Status, statusOf } from "../osp/codec/status.js";
import { isTokenValue } from "../osp/token/claims.js";
import type { TokenSigner, TokenTrust } from "../osp/token/signer.js";
import { signToken, type TokenFault, verifyToken } from "../osp/token/token.js";
import { type DestinationRule, domainOf, type PeerRule, type RuleBook } from "./rules.js";
import type { ClearinghouseTransaction } from "./store.js";

const DEFAULT_TOKEN_LIFETIME = 300;
const DEFAULT_SESSION_LIMIT = 3600;
/** How far a receiver's clock may be behind ours: seconds before now from which a token is valid. */
const VALID_BEFORE = 60;

export interface AuthoriserParts {
  readonly book: RuleBook;
  readonly signer: TokenSigner;
  /** Whose tokens the terminating side may show; the signer's own, and others while keys roll over. */
  readonly trust: TokenTrust;
}

/** Who asks, when, and the durable changes that the answer makes. */
export interface Exchange {
  readonly peer: PeerRule;
  readonly now: Timestamp;
  readonly tx: ClearinghouseTransaction;
}

/** What an answer says besides the ids and times of its envelope. */
export type Verdict = Pick<AuthorisationResponse, "status" | "transactionId" | "destinations" | "tariff">;

export const refuse = (status: Status, why: string): Verdict => ({ status: statusOf(status, why), destinations: [] });

/** A request that carries a token comes from the terminating side. */
export function authorise(parts: AuthoriserParts, request: AuthorisationRequest, exchange: Exchange): Verdict {
  const unfit = findUnfit(request);
  if (unfit !== undefined) return unfit;
  return request.token === undefined
    ? originate(parts, request, exchange)
    : terminate(parts, request, request.token, exchange);
}

/** What no token could carry is refused here, with the code that names the field. */
function findUnfit({ source, destination, callId }: AuthorisationRequest): Verdict | undefined {
  if (!isTokenValue(source.value)) return refuse(STATUS.callingInvalid, "SourceInfo does not fit into a token");
  if (!isTokenValue(destination.value)) {
    return refuse(STATUS.destinationInvalid, "DestinationInfo does not fit into a token");
  }
  const fits = callId.length <= CALL_ID_OCTETS && isTokenValue(callId.toString("base64"));
  return fits ? undefined : refuse(STATUS.badRequest, "CallId does not fit into a token");
}

function originate(parts: AuthoriserParts, request: AuthorisationRequest, exchange: Exchange): Verdict {
  const { peer } = exchange;
  if (!peer.mayOriginate) return refuse(STATUS.mayNotOriginate, `${peer.id} may not originate`);
  const caller = domainOf(request.source);
  if (peer.originatesFor !== undefined && !peer.originatesFor.includes(caller ?? "")) {
    return refuse(STATUS.callingInvalid, `${peer.id} does not speak for this caller`);
  }
  const destination = parts.book.destinationOf(request.destination);
  if (destination === undefined) return refuse(STATUS.noRoute, "no destination serves this address");
  if (destination.peer !== undefined && parts.book.peer(destination.peer)?.mayTerminate !== true) {
    return refuse(STATUS.routeBlocked, "the destination may not terminate");
  }
  return findOverLimit(request, exchange) ?? grant(parts, request, destination, exchange);
}

function findOverLimit({ extensions }: AuthorisationRequest, { peer, now, tx }: Exchange): Verdict | undefined {
  const { maxBandwidth, serviceClasses, maxOpen } = peer;
  const { bandwidth, serviceClass } = extensions ?? {};
  if (maxBandwidth !== undefined && bandwidth !== undefined && bandwidth > maxBandwidth) {
    return refuse(STATUS.unavailable, `more than ${maxBandwidth} bit/s for one session`);
  }
  if (serviceClasses !== undefined && serviceClass !== undefined && !serviceClasses.includes(serviceClass)) {
    return refuse(STATUS.routeBlocked, `service class ${serviceClass} is not open to ${peer.id}`);
  }
  if (maxOpen !== undefined && tx.countOpen(peer.id, now, maxOpen) >= maxOpen) {
    return refuse(STATUS.rateExceeded, `${peer.id} has ${maxOpen} sessions open`);
  }
  return undefined;
}

function grant(
  { book, signer }: AuthoriserParts,
  request: AuthorisationRequest,
  rule: DestinationRule,
  { peer, now, tx }: Exchange,
): Verdict {
  const limit = book.rules.sessionLimit ?? DEFAULT_SESSION_LIMIT;
  const validAfter = (now - VALID_BEFORE * 1000) as Timestamp;
  const validUntil = (now + (book.rules.tokenLifetime ?? DEFAULT_TOKEN_LIFETIME) * 1000) as Timestamp;
  const { callId, source, destination, extensions } = request;
  // Fixed now: a table that changes while the session lasts does not change what was told.
  const tariff = book.tariffOf(extensions?.serviceClass, source, destination);
  const transactionId = tx.addTransaction({
    originatingPeer: peer.id,
    terminatingPeer: rule.peer,
    callId,
    session: extensions?.session,
    source: source.value,
    destination: destination.value,
    createdAt: now,
    expiresAt: (validUntil + limit * 1000) as Timestamp,
    tariff,
  });
  const { signalAddress } = rule;
  const times = { validAfter, validUntil, limit };
  // No audience: the called party's domain chose the destination, and every octet counts in a SIP header.
  const token = signToken(
    { transactionId, calling: source.value, called: destination.value, callId, ...times },
    signer,
  );
  const granted: Destination = { callId, destination, signalAddress, token, ...times, extensions };
  return { status: STATUS.success, transactionId, destinations: [granted], tariff };
}

const FAULT_STATUS: Readonly<Record<TokenFault, Status>> = {
  malformed: STATUS.securityProblem,
  issuer: STATUS.certificateInvalid,
  certificateExpired: STATUS.certificateInvalid,
  signature: STATUS.signatureInvalid,
  calling: STATUS.callingInvalid,
  called: STATUS.destinationInvalid,
  callId: STATUS.securityProblem,
  audience: STATUS.securityProblem,
  notYetValid: STATUS.timeProblem,
  expired: STATUS.timeProblem,
  replayed: STATUS.unauthorised,
};

function terminate(
  { book, trust }: AuthoriserParts,
  request: AuthorisationRequest,
  token: Buffer,
  { peer, now, tx }: Exchange,
): Verdict {
  if (!peer.mayTerminate) return refuse(STATUS.routeBlocked, `${peer.id} may not terminate`);
  // One use of a token is one terminating side bound to its transaction: that side may ask again until it
  // reported the end (its policy server may have been restarted), any other use is a replay.
  const bind = (id: TransactionId): boolean =>
    tx.findTransaction(id) === undefined || tx.bindTerminating(id, peer.id, now) === "taken";
  const verdict = verifyToken(token, trust, {
    now,
    calling: request.source.value,
    called: request.destination.value,
    callId: request.callId,
    audience: book.destinationOf(request.destination)?.domain,
    replay: { seen: bind },
  });
  if (!verdict.valid) return refuse(FAULT_STATUS[verdict.reason], `token: ${verdict.reason}`);
  const { transactionId } = verdict.claims;
  const tariff = tx.findTransaction(transactionId)?.tariff;
  return { status: STATUS.success, transactionId, destinations: [], tariff };
}

/**
 * The clearinghouse as authority. On the originating side it gives a token for the other side; on the terminating side
 * the token is checked here first, and used once, before the clearinghouse is asked.
 */
import type { Clock } from "../model/clock.js";
import type { Refusal, RefusalReason } from "../model/decision.js";
import { SluiceError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import { bitsPerSecond } from "../model/units.js";
import type { OspClient } from "../osp/client.js";
import type { AuthorisationResponse } from "../osp/codec/messages.js";
import { isSuccess } from "../osp/codec/status.js";
import { storedTariff } from "../osp/tariff.js";
import type { TokenTrust } from "../osp/token/signer.js";
import { type ReplayGuard, verifyToken } from "../osp/token/token.js";
import type { Authority, AuthorityRequest, Grant } from "./authority.js";

export interface OspAuthorityOptions {
  readonly client: OspClient;
  /** Certificates of the clearinghouses whose tokens are taken. */
  readonly trust: TokenTrust;
  readonly replay: ReplayGuard;
  /** Our own domain: tokens for another are not taken. */
  readonly domain: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export class OspAuthority implements Authority {
  readonly #options: OspAuthorityOptions;

  constructor(options: OspAuthorityOptions) {
    this.#options = options;
  }

  async authorise(request: AuthorityRequest): Promise<Grant | Refusal> {
    const token = request.token === undefined ? undefined : Buffer.from(request.token, "base64");
    if (request.side === "terminating") {
      const fault = this.#checkToken(request, token);
      if (fault !== undefined) return refuse("tokenInvalid", fault);
    }
    try {
      const response = await this.#options.client.authorise({
        timestamp: this.#options.clock.now(),
        callId: Buffer.from(request.callId),
        source: { type: "sip", value: request.caller },
        destination: { type: "sip", value: request.callee },
        maximumDestinations: 1,
        token,
        extensions: {
          session: request.session,
          bandwidth: bitsPerSecond(request.rate),
          serviceClass: request.class,
        },
      });
      return grantOf(response, request);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      this.#options.log.warn("pdp.clearinghouse-failed", { session: request.session, code: error.code });
      return refuse("clearinghouseUnreachable", `the clearinghouse did not answer: ${error.message}`);
    }
  }

  #checkToken(request: AuthorityRequest, token: Buffer | undefined): string | undefined {
    if (token === undefined) return "the INVITE carries no token";
    const { clock, domain, replay, trust } = this.#options;
    const verdict = verifyToken(token, trust, {
      now: clock.now(),
      calling: request.caller,
      called: request.callee,
      callId: Buffer.from(request.callId),
      audience: domain,
      replay,
    });
    return verdict.valid ? undefined : `the token in the INVITE is not good: ${verdict.reason}`;
  }
}

function grantOf(response: AuthorisationResponse, request: AuthorityRequest): Grant | Refusal {
  const { status, transactionId, destinations, tariff } = response;
  if (!isSuccess(status)) {
    return refuse("clearinghouseRefused", `the clearinghouse refused: ${status.code} ${status.description ?? ""}`);
  }
  if (transactionId === undefined) return refuse("clearinghouseRefused", "the clearinghouse gave no transaction");
  const granted = {
    admitted: true,
    transactionId,
    ...(tariff === undefined ? {} : { tariff: storedTariff(tariff) }),
  } as const;
  if (request.side === "terminating") return granted;
  const [destination] = destinations;
  if (destination === undefined) return refuse("clearinghouseRefused", "the clearinghouse knows no route");
  const token = destination.token.toString("base64");
  // OSP writes IPv4 addresses in brackets, too.
  const signalAddress = destination.signalAddress.replace(/^\[([\d.]+)\]/, "$1");
  return { ...granted, token, signalAddress };
}

const refuse = (reason: RefusalReason, text: string): Refusal => ({ admitted: false, reason, text });

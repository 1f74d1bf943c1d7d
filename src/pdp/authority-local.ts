/** `clearinghouse: none`: this server authorises what its own rules allowed, and numbers it itself. */
import type { Authority, AuthorityRequest, Grant } from "./authority.js";

export class LocalAuthority implements Authority {
  readonly #nextTransaction: () => number;

  constructor(nextTransaction: () => number) {
    this.#nextTransaction = nextTransaction;
  }

  authorise(_request: AuthorityRequest): Promise<Grant> {
    return Promise.resolve({ admitted: true, transactionId: String(this.#nextTransaction()) });
  }
}

/** The clearinghouse role: HTTP endpoint, responder and housekeeping, joined. */
import type { ListenAddress } from "../http/listening.js";
import type { Clock, Timer } from "../model/clock.js";
import type { Logger } from "../model/log.js";
import type { SessionId } from "../model/session.js";
import type { Millis, Timestamp } from "../model/units.js";
import type { Component } from "../osp/codec/messages.js";
import {
  type MessageEnds,
  messageNameOf,
  type OspMessageHook,
  type OspMessageName,
  responseMessageName,
} from "../osp/message-hook.js";
import type { TokenSigner, TokenTrust } from "../osp/token/signer.js";
import { HttpEndpoint } from "./http-endpoint.js";
import { type PeerStatus, Responder } from "./responder.js";
import { type ClearinghouseRules, RuleBook } from "./rules.js";
import type { ClearinghouseStore, SettledRecord, UsageFilter, UsageRecord } from "./store.js";

export interface ClearinghouseLimits {
  readonly maxBodyOctets?: number;
  /** For a whole body to come in; default 5 s. */
  readonly bodyTimeout?: Millis;
  readonly maxConnections?: number;
  /** How long an answer is kept for a repeated request; default one hour. */
  readonly responseRetention?: Millis;
  /** How long after the report of one side a session is priced without that of the other; default one hour. */
  readonly settleAfter?: Millis;
}

export interface ClearinghouseOptions {
  readonly listen: ListenAddress;
  /** Default `/osp`. */
  readonly path?: string;
  readonly rules: ClearinghouseRules;
  readonly signer: TokenSigner;
  /** Further certificates whose tokens are taken, while keys roll over. */
  readonly trust?: TokenTrust;
  /** Stays its owner's: close it after the server. */
  readonly store: ClearinghouseStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onMessage?: OspMessageHook;
  readonly limits?: ClearinghouseLimits;
}

const DEFAULTS = {
  maxBodyOctets: 65_536,
  bodyTimeout: 5000 as Millis,
  maxConnections: 256,
  responseRetention: 3_600_000 as Millis,
  settleAfter: 3_600_000 as Millis,
} as const;
const HOUSEKEEPING = 60_000 as Millis;

export class ClearinghouseServer {
  readonly #options: ClearinghouseOptions;
  readonly #limits: Required<ClearinghouseLimits>;
  readonly #responder: Responder;
  readonly #endpoint: HttpEndpoint;
  #housekeeping: Timer | undefined;

  /** @throws SystemError CLEARINGHOUSE_RULES if the rules contradict themselves */
  constructor(options: ClearinghouseOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULTS, ...options.limits };
    const { rules, signer, trust = [], store, clock, log } = options;
    const book = new RuleBook(rules);
    this.#responder = new Responder({ book, signer, trust: [signer.certificate, ...trust], store, clock, log });
    this.#endpoint = new HttpEndpoint({
      path: options.path ?? "/osp",
      ...this.#limits,
      clock,
      log,
      answer: (body, ends, address) => this.#answer(body, ends, address),
    });
  }

  /** Resolves with the address in use, which tells the port where 0 was asked for. @throws SystemError LISTEN_* */
  async listen(): Promise<ListenAddress> {
    const bound = await this.#endpoint.listen(this.#options.listen);
    this.#options.log.info("clearinghouse.listening", { ...bound });
    this.#keepHouse();
    return bound;
  }

  async close(): Promise<void> {
    this.#housekeeping?.cancel();
    await this.#endpoint.close();
  }

  peers(): readonly PeerStatus[] {
    return this.#responder.peers();
  }

  /** Reports as they are stored, oldest first. */
  usage(filter?: UsageFilter): readonly UsageRecord[] {
    return this.#options.store.usage(filter);
  }

  /** What sessions cost, oldest first. */
  settled(filter?: UsageFilter): readonly SettledRecord[] {
    return this.#options.store.settled(filter);
  }

  async #answer(body: Buffer, ends: MessageEnds, address: string): Promise<{ body: Buffer; sent: () => void }> {
    const answer = await this.#responder.respond(body, address, (components) => {
      this.#report("received", components, ends, (name) => name);
    });
    const back = { from: ends.to, to: ends.from };
    return {
      body: answer.body,
      sent: () => this.#report("sent", answer.components, back, responseMessageName),
    };
  }

  #report(
    direction: "sent" | "received",
    components: readonly Component[],
    ends: MessageEnds,
    nameOf: (name: OspMessageName) => OspMessageName,
  ): void {
    for (const component of components) {
      const name = messageNameOf(component);
      if (name !== undefined) this.#options.onMessage?.(direction, nameOf(name), sessionOf(component), ends);
    }
  }

  #keepHouse(): void {
    const { clock, store, log } = this.#options;
    this.#housekeeping = clock.after(HOUSEKEEPING, () => {
      try {
        const now = clock.now();
        store.forgetResponses((now - this.#limits.responseRetention) as Timestamp);
        store.settleOverdue((now - this.#limits.settleAfter) as Timestamp, now);
      } catch (error) {
        log.warn("clearinghouse.housekeeping.failed", { error: String(error) });
      }
      this.#keepHouse();
    });
  }
}

const sessionOf = (component: Component): SessionId | undefined =>
  "extensions" in component ? component.extensions?.session : undefined;

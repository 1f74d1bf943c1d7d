/** The OSP endpoint of a policy server: asks the clearinghouse, and hands it usage reports. */
import { randomInt } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Clock } from "../model/clock.js";
import { ProtocolError, SystemError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import type { SessionId } from "../model/session.js";
import type { Millis } from "../model/units.js";
import { OspDecodeError } from "./codec/decode-error.js";
import { decodeMessage, encodeMessage } from "./codec/message.js";
import type {
  AuthorisationRequest,
  AuthorisationResponse,
  OspMessage,
  UsageConfirmation,
  UsageIndication,
} from "./codec/messages.js";
import { exchange, HttpStatusError } from "./http-exchange.js";
import { type MessageEnds, messageNameOf, type OspMessageHook } from "./message-hook.js";

export interface OspTlsOptions {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

export interface OspClientOptions {
  /** Such as `http://192.0.2.10:5045/osp`. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onMessage?: OspMessageHook;
  /** Identify us to the clearinghouse; filled into requests that do not say otherwise. */
  readonly customerId?: string;
  readonly deviceId?: string;
  /** Source address to connect from. */
  readonly localAddress?: string;
  readonly tls?: OspTlsOptions;
  /** Per attempt; default 3 s. */
  readonly timeout?: Millis;
  /** Further attempts after the first; default 1. */
  readonly retries?: number;
  /** Between attempts; default 200 ms. */
  readonly retryDelay?: Millis;
  readonly maxResponseOctets?: number;
  readonly maxConnections?: number;
}

const DEFAULTS = {
  timeout: 3000 as Millis,
  retries: 1,
  retryDelay: 200 as Millis,
  maxResponseOctets: 65_536,
  maxConnections: 16,
} as const;

/** What a caller says of a request; ids and our identity are the client's. */
export type AuthorisationAsk = Omit<AuthorisationRequest, "kind" | "componentId">;
export type UsageReport = Omit<UsageIndication, "kind" | "componentId">;

/** Ids are 48 bit random: servers must not rely on them, but ours are different all the same. */
const newId = (): string => String(randomInt(1, 2 ** 48 - 1));

export class OspClient {
  readonly #options: OspClientOptions & typeof DEFAULTS;
  readonly #url: URL;
  readonly #agent: HttpAgent;
  readonly #closing = new AbortController();

  /** @throws SystemError OSP_URL if the URL is neither http nor https */
  constructor(options: OspClientOptions) {
    this.#options = { ...DEFAULTS, ...options } as OspClientOptions & typeof DEFAULTS;
    this.#url = parseUrl(options.url);
    const pool = { keepAlive: true, maxSockets: this.#options.maxConnections };
    this.#agent = this.#url.protocol === "https:" ? new HttpsAgent({ ...pool, ...options.tls }) : new HttpAgent(pool);
  }

  /**
   * Asks for authorisation. A refusal is the Status of the answer; check it with `isSuccess`.
   * @throws ProtocolError if no usable answer came (OSP_TIMEOUT, OSP_UNREACHABLE, OSP_HTTP_STATUS, OSP_RESPONSE…)
   */
  async authorise(ask: AuthorisationAsk): Promise<AuthorisationResponse> {
    const { customerId, deviceId } = this.#options;
    const componentId = newId();
    const request = { customerId, deviceId, ...ask, kind: "AuthorisationRequest", componentId } as const;
    const body = encodeMessage({ messageId: newId(), random: newId(), components: [request] });
    const session = ask.extensions?.session;
    const answer = await this.#exchange(body, session, "AuthReq");
    const response = answer.components.find((component) => component.kind === "AuthorisationResponse");
    if (response === undefined) throw unusable("no AuthorisationResponse in the answer");
    if (response.componentId !== componentId) throw unusable("the answer is for another request");
    return response;
  }

  /** The body of usage reports, built once and stored: every attempt to deliver it must send the same octets. */
  usageBody(reports: readonly UsageReport[]): Buffer {
    const { customerId, deviceId } = this.#options;
    const components = reports.map(
      (report) => ({ customerId, deviceId, ...report, kind: "UsageIndication", componentId: newId() }) as const,
    );
    return encodeMessage({ messageId: newId(), random: newId(), components });
  }

  /**
   * Delivers a body made by `usageBody`. One confirmation for each report, in order; a Status outside
   * 200..299 is the clearinghouse's refusal.
   * @throws ProtocolError as `authorise`; the body must then be posted again later
   */
  async post(body: Buffer, session?: SessionId): Promise<readonly UsageConfirmation[]> {
    const answer = await this.#exchange(body, session, "UsageInd");
    const confirmations = answer.components.filter((component) => component.kind === "UsageConfirmation");
    if (confirmations.length === 0) throw unusable("no UsageConfirmation in the answer");
    return confirmations;
  }

  /** Ends every connection; what waits for an answer fails, and further work is refused. */
  close(): void {
    this.#closing.abort();
    this.#agent.destroy();
  }

  async #exchange(body: Buffer, session: SessionId | undefined, name: "AuthReq" | "UsageInd"): Promise<OspMessage> {
    let ends: MessageEnds | undefined;
    const answer = await this.#attempts(body, (connected) => {
      ends = connected;
      this.#options.onMessage?.("sent", name, session, connected);
    });
    const message = decodeAnswer(answer);
    for (const component of message.components) {
      const answerName = messageNameOf(component);
      if (answerName === undefined || ends === undefined) continue;
      this.#options.onMessage?.("received", answerName, session, { from: ends.to, to: ends.from });
    }
    return message;
  }

  /** Sends the same octets until an answer comes or the attempts are used up: the server knows a repeated body. */
  async #attempts(body: Buffer, onConnected: (ends: MessageEnds) => void): Promise<Buffer> {
    const { clock, timeout, retries, retryDelay, maxResponseOctets, localAddress, log } = this.#options;
    const request = { agent: this.#agent, ...(localAddress === undefined ? {} : { localAddress }) };
    for (let attempt = 0; ; attempt += 1) {
      if (this.#closing.signal.aborted) throw new ProtocolError("OSP_CLOSED", "the OSP client is closed");
      try {
        return await exchange(body, { url: this.#url, request, clock, timeout, maxResponseOctets, onConnected });
      } catch (error) {
        if (attempt >= retries || !isWorthRetrying(error)) throw error;
        log.debug("osp.client.retry", () => ({ attempt: attempt + 1, error: String(error) }));
        await new Promise<void>((resolve) => clock.after(retryDelay, resolve));
      }
    }
  }
}

/** A 4xx will not change by asking again; silence, a lost connection and a 5xx may. */
function isWorthRetrying(error: unknown): boolean {
  if (error instanceof HttpStatusError) return error.status >= 500;
  return error instanceof ProtocolError && (error.code === "OSP_TIMEOUT" || error.code === "OSP_UNREACHABLE");
}

function decodeAnswer(answer: Buffer): OspMessage {
  try {
    const message = decodeMessage(answer);
    const bad = message.components.find((component) => component.kind === "invalid");
    if (bad !== undefined) throw bad.error;
    return message;
  } catch (error) {
    if (error instanceof OspDecodeError) throw unusable(error.message, error);
    throw error;
  }
}

const unusable = (why: string, cause?: unknown): ProtocolError =>
  new ProtocolError("OSP_RESPONSE", `the clearinghouse's answer cannot be used: ${why}`, { cause });

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new SystemError("OSP_URL", `not an http or https URL: ${text}`, {
      remedy: "give the clearinghouse as http://address:port/osp",
    });
  }
  return url;
}

/** One call between two agents: what each knows of the dialog, and its requests in it (RFC 3261 §12). */
import { randomBytes } from "node:crypto";
import { type SessionId, sessionIdOf } from "../../../src/model/session.js";
import type { SipAgent } from "./sip-agent.js";
import { header, headers, type Place, placeOf, respond, type SipText, tagOf, uriOf, writeSip } from "./sip-message.js";

const random = (): string => randomBytes(6).toString("hex");

export interface RequestWish {
  readonly body?: string;
  readonly lines?: readonly string[];
  /** That of the INVITE, for its ACK and CANCEL. */
  readonly cseq?: number;
  readonly branch?: string;
}

/** One side of a dialog. */
export class Party {
  readonly agent: SipAgent;
  readonly callId: string;
  readonly own: string;
  #peer: string;
  #target: string;
  #routes: readonly string[];
  #cseq = 0;

  constructor(agent: SipAgent, facts: { callId: string; own: string; peer: string; target: string; hop?: Place }) {
    this.agent = agent;
    this.callId = facts.callId;
    this.own = facts.own;
    this.#peer = facts.peer;
    this.#target = facts.target;
    this.#routes = facts.hop === undefined ? [] : [`<sip:${facts.hop.address}:${facts.hop.port};lr>`];
  }

  get contact(): string {
    const { address, port } = this.agent.place;
    return `Contact: <sip:ua@${address}:${port}>`;
  }

  get routes(): readonly string[] {
    return this.#routes;
  }

  /** The dialog is there: routes from a 2xx are those of the request, backwards (§12.1.2). */
  learn(message: SipText): void {
    const routes = headers(message, "Record-Route").flatMap((value) => value.split(",").map((route) => route.trim()));
    this.#routes = message.status === 0 ? routes : routes.reverse();
    this.#target = uriOf(header(message, "Contact"));
    this.#peer = header(message, message.status === 0 ? "From" : "To") ?? this.#peer;
  }

  /** Sends it. @returns its number */
  request(method: string, { body = "", lines = [], cseq, branch = random() }: RequestWish = {}): number {
    if (cseq === undefined) this.#cseq++;
    const number = cseq ?? this.#cseq;
    const { address, port } = this.agent.place;
    const start = [
      `${method} ${this.#target} SIP/2.0`,
      `Via: SIP/2.0/UDP ${address}:${port};branch=z9hG4bK${branch}`,
      "Max-Forwards: 70",
      ...this.#routes.map((route) => `Route: ${route}`),
      `From: ${this.own}`,
      `To: ${this.#peer}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${number} ${method}`,
    ];
    const contact = ["INVITE", "UPDATE"].includes(method) ? [this.contact] : [];
    const hop = this.#routes[0] === undefined ? this.#target : uriOf(this.#routes[0]);
    this.agent.send(writeSip([...start, ...contact, ...lines], body), placeOf(hop));
    return number;
  }

  /** The final answer to a request of this side; takes provisional ones away. */
  final(method: string, number: number, within?: number): Promise<SipText> {
    return this.agent.take(`a final answer to ${method} ${number}`, this.isFinal(method, number), within);
  }

  isFinal(method: string, number: number): (message: SipText) => boolean {
    return (message) =>
      message.status >= 200 && this.#isOurs(message) && header(message, "CSeq") === `${number} ${method}`;
  }

  takes(method: string, within?: number): Promise<SipText> {
    return this.agent.take(method, (message) => message.method === method && this.#isRequest(message), within);
  }

  reply(request: SipText, status: number, body = "", lines: readonly string[] = []): void {
    const tag = tagOf(this.own);
    const all = request.method === "BYE" || status >= 300 ? lines : [this.contact, ...lines];
    this.agent.send(respond(request, status, { tag, lines: all, body }), this.#viaOf(request));
  }

  /** To the final answer of an INVITE: that of a 2xx goes by the routes, another one as the INVITE did (§17.1.1.3). */
  acknowledge(number: number, wish: RequestWish = {}): void {
    this.request("ACK", { cseq: number, ...wish });
  }

  #isRequest = (message: SipText): boolean => message.status === 0 && this.#isOurs(message);

  #isOurs = (message: SipText): boolean => header(message, "Call-ID") === this.callId;

  #viaOf(request: SipText): Place {
    const via = header(request, "Via") ?? "";
    const found = /^SIP\/2\.0\/UDP ([\d.]+)(?::(\d+))?/.exec(via);
    return { address: found?.[1] ?? "", port: Number(found?.[2] ?? 5060) };
  }
}

export interface Pair {
  readonly session: SessionId;
  readonly callId: string;
  readonly caller: Party;
  readonly callee: Party;
}

const SIP1 = { address: "10.1.0.5", port: 5060 };

/** A call that has not begun, from alice-phone@a.example to bob-phone@b.example. */
export function newCall(uac: SipAgent, uas: SipAgent): Pair {
  const callId = `${random()}@negotiation`;
  const [callerTag, calleeTag] = [random(), random()];
  const peer = "<sip:bob-phone@b.example>";
  const own = `<sip:alice-phone@a.example>;tag=${callerTag}`;
  const caller = new Party(uac, { callId, own, peer, target: "sip:bob-phone@b.example", hop: SIP1 });
  const callee = new Party(uas, { callId, own: `${peer};tag=${calleeTag}`, peer: own, target: "" });
  return { session: sessionIdOf(callId, callerTag), callId, caller, callee };
}

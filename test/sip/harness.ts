/** A proxy without sockets or time: scripted agents on both sides of it. */

import type { MessageEvent } from "../../src/model/event.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { type ExtraHeader, responseTo } from "../../src/sip/message/build.js";
import type { SipMessage, SipRequest, SipResponse } from "../../src/sip/message/message.js";
import { parseMessage } from "../../src/sip/message/parse.js";
import { ProxyCore } from "../../src/sip/proxy/core.js";
import type { ProxyOptions } from "../../src/sip/proxy/options.js";
import { OPEN_POLICY, type ProxyPolicy } from "../../src/sip/proxy/policy.js";
import type {
  Destination,
  Flow,
  FlowId,
  LocalPoint,
  MessageHandler,
  SipTransport,
} from "../../src/sip/transport/transport.js";
import { FakeClock, settle } from "../support/fake-clock.js";

export interface Sent {
  readonly message: SipMessage;
  readonly remote: Destination;
  readonly local: LocalPoint;
}

export class FakeTransport implements SipTransport {
  readonly sent: Sent[] = [];
  private handler: MessageHandler = () => undefined;
  private flowClosed: (flow: Flow) => void = () => undefined;
  private readonly flows = new Map<FlowId, Flow>();
  readonly locals: readonly LocalPoint[];
  /** Addresses that take TCP connections. */
  readonly takesTcp = new Set<string>();
  /** Addresses that cannot be sent to. */
  readonly dead = new Set<string>();

  constructor(locals: readonly LocalPoint[]) {
    this.locals = locals;
  }

  onMessage(handler: MessageHandler): void {
    this.handler = handler;
  }

  onFlowClosed(listener: (flow: Flow) => void): void {
    this.flowClosed = listener;
  }

  flow(id: FlowId): Flow | undefined {
    return this.flows.get(id);
  }

  /** A connection that somebody opened. */
  openFlow(flow: Flow): Flow {
    this.flows.set(flow.id, flow);
    return flow;
  }

  closeFlow(id: FlowId): void {
    const flow = this.flows.get(id);
    this.flows.delete(id);
    if (flow !== undefined) this.flowClosed(flow);
  }

  async reach(_local: LocalPoint, remote: Destination): Promise<boolean> {
    return remote.transport !== "tcp" || this.takesTcp.has(remote.address);
  }

  send(octets: Buffer, local: LocalPoint, remote: Destination, failed: (cause: Error) => void): void {
    this.sent.push({ message: read(octets), remote, local });
    const isGone = remote.flow !== undefined && !this.flows.has(remote.flow);
    if (isGone || this.dead.has(remote.address)) queueMicrotask(() => failed(new Error("EHOSTUNREACH")));
  }

  inject(octets: Buffer | string, remote: Destination, local: LocalPoint | undefined = this.locals[0]): void {
    if (local === undefined) throw new Error("no local address");
    this.handler(typeof octets === "string" ? Buffer.from(octets, "latin1") : octets, remote, local);
  }
}

export function read(octets: Buffer): SipMessage {
  const parsed = parseMessage(octets);
  if (parsed.kind === "keepalive") throw new Error("keep-alive");
  if (parsed.defects.length > 0) throw new Error(`sent a broken message: ${parsed.defects[0]?.text}`);
  return parsed.kind === "request" ? parsed.request : parsed.response;
}

export const nameOf = (message: SipMessage): string =>
  message.kind === "request" ? (message as SipRequest).method : String((message as SipResponse).status);

export const PROXY = { address: "192.0.2.1", port: 5060, transport: "udp" } as const;
export const ALICE = { address: "198.51.100.1", port: 5070, transport: "udp" } as const;
export const BOB = { address: "203.0.113.9", port: 5080, transport: "udp" } as const;
export const SDP =
  "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

export interface RequestParts {
  method: string;
  cseq?: number;
  branch?: string;
  toTag?: string;
  fromTag?: string;
  uri?: string;
  callId?: string;
  body?: string;
  extra?: string[];
  from?: { readonly address: string; readonly port: number };
}

/** A request as one of the two agents would write it. */
export function requestText(parts: RequestParts): string {
  const { method, cseq = 1, fromTag = "a1", body = "", from = ALICE } = parts;
  const lines = [
    `${method} ${parts.uri ?? "sip:bob@example.com"} SIP/2.0`,
    `Via: SIP/2.0/UDP ${from.address}:${from.port};branch=${parts.branch ?? `z9hG4bK-${method}-${cseq}-${fromTag}`}`,
    "Max-Forwards: 70",
    `From: <sip:alice@example.net>;tag=${fromTag}`,
    `To: <sip:bob@example.com>${parts.toTag === undefined ? "" : `;tag=${parts.toTag}`}`,
    `Call-ID: ${parts.callId ?? "call-1"}`,
    `CSeq: ${cseq} ${method === "CANCEL" ? "CANCEL" : method}`,
    `Contact: <sip:agent@${from.address}:${from.port}>`,
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    ...(parts.extra ?? []),
    `Content-Length: ${body.length}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

export class Lab {
  readonly clock = new FakeClock();
  readonly transport: FakeTransport;
  readonly core: ProxyCore;
  readonly events: Omit<MessageEvent, "at">[] = [];
  private taken = 0;

  constructor(
    policy: Partial<ProxyPolicy> = {},
    options: Partial<ProxyOptions> = {},
    locals: readonly LocalPoint[] = [PROXY],
  ) {
    this.transport = new FakeTransport(locals);
    let count = 0;
    this.core = new ProxyCore({
      transport: this.transport,
      clock: this.clock,
      logger: SILENT_LOGGER,
      policy: { ...OPEN_POLICY, ...policy },
      table: {
        domains: ["example.com"],
        users: new Map([["bob", { host: BOB.address, port: BOB.port }]]),
        routes: new Map([["far.example", { host: "192.0.2.77", port: 5060 }]]),
      },
      messageLog: (event) => this.events.push(event),
      random: (octets) => Buffer.alloc(octets, ++count),
      ...options,
    });
  }

  /** What was sent since the last call. */
  async flush(): Promise<Sent[]> {
    await settle();
    const fresh = this.transport.sent.slice(this.taken);
    this.taken = this.transport.sent.length;
    return fresh;
  }

  /** As `flush`, as `NAME>address` words. */
  async names(): Promise<string[]> {
    return (await this.flush()).map(({ message, remote }) => {
      const who = remote.address === ALICE.address ? "alice" : remote.address === BOB.address ? "bob" : remote.address;
      return `${nameOf(message)}>${who}`;
    });
  }

  async alice(parts: RequestParts): Promise<void> {
    this.transport.inject(requestText(parts), ALICE);
    await settle();
  }

  /** The latest request of that method that was sent to bob. */
  toBob(method: string): SipRequest {
    const found = this.transport.sent.findLast(
      (one) => one.remote.address === BOB.address && nameOf(one.message) === method,
    );
    if (found === undefined) throw new Error(`bob got no ${method}`);
    return found.message as SipRequest;
  }

  async bobAnswers(
    request: SipRequest,
    status: number,
    options: { body?: string; tag?: string; headers?: readonly ExtraHeader[] } = {},
  ): Promise<void> {
    let response = responseTo(request, status, {
      toTag: options.tag ?? "b1",
      headers: [{ name: "Contact", value: `<sip:bob@${BOB.address}:${BOB.port}>` }],
    });
    for (const route of request.recordRoutes) response = response.addHeader("Record-Route", route);
    for (const { name, value } of options.headers ?? []) response = response.addHeader(name, value);
    const text = response.toBuffer().toString("latin1");
    const body = options.body ?? "";
    const whole = text.replace("Content-Length: 0\r\n\r\n", `Content-Length: ${body.length}\r\n\r\n${body}`);
    this.transport.inject(whole, BOB);
    await settle();
  }

  async bob(parts: RequestParts): Promise<void> {
    this.transport.inject(requestText({ from: BOB, fromTag: "b1", toTag: "a1", ...parts }), BOB);
    await settle();
  }

  /** A call up to its ACK. */
  async callUp(): Promise<void> {
    await this.alice({ method: "INVITE", body: SDP });
    await this.bobAnswers(this.toBob("INVITE"), 180);
    await this.bobAnswers(this.toBob("INVITE"), 200, { body: SDP });
    await this.alice({ method: "ACK", toTag: "b1", uri: `sip:bob@${BOB.address}:${BOB.port}`, branch: "z9hG4bK-ack" });
    await this.flush();
  }
}

/** A promise that the test settles. */
export function gate<T>() {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

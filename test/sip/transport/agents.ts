/** Agents on real sockets: a small one over UDP, and sip.js over WebSocket. */
import { createSocket, type Socket } from "node:dgram";
import { type Session, type SessionDescriptionHandler, UserAgent } from "sip.js";
import { WebSocket as NodeWebSocket } from "ws";
import { inDialogRequest, responseTo } from "../../../src/sip/message/build.js";
import { makeHeaderLine } from "../../../src/sip/message/header-line.js";
import { type SipMessage, SipRequest, SipResponse } from "../../../src/sip/message/message.js";
import { parseMessage } from "../../../src/sip/message/parse.js";

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Answers what it is asked with 200, INVITEs with 180 first; remembers all that it gets. */
export class UdpAgent {
  readonly got: SipMessage[] = [];
  private readonly socket: Socket;
  private readonly proxy: Place;
  private branch = 0;

  private constructor(socket: Socket, proxy: Place) {
    this.socket = socket;
    this.proxy = proxy;
    socket.on("message", (octets, from) => this.take(octets, { address: from.address, port: from.port }));
  }

  static async open(proxy: Place): Promise<UdpAgent> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return new UdpAgent(socket, proxy);
  }

  get port(): number {
    return this.socket.address().port;
  }

  get names(): string[] {
    return this.got.map((message) =>
      message instanceof SipRequest ? message.method : `${(message as SipResponse).status}`,
    );
  }

  find(name: string): SipMessage | undefined {
    return this.got[this.names.lastIndexOf(name)];
  }

  close(): void {
    this.socket.close();
  }

  invite(uri: string, body: string): SipRequest {
    const headers = [
      makeHeaderLine("Via", this.via()),
      makeHeaderLine("Max-Forwards", "70"),
      makeHeaderLine("From", "<sip:udp@a.example>;tag=u1"),
      makeHeaderLine("To", `<${uri}>`),
      makeHeaderLine("Call-ID", `udp-${this.port}`),
      makeHeaderLine("CSeq", "1 INVITE"),
      makeHeaderLine("Contact", `<sip:udp@127.0.0.1:${this.port}>`),
      makeHeaderLine("Content-Type", "application/sdp"),
      makeHeaderLine("Content-Length", String(body.length)),
    ];
    const invite = new SipRequest(`INVITE ${uri} SIP/2.0`, headers, Buffer.from(body));
    this.send(invite, this.proxy);
    return invite;
  }

  /** Of its own INVITE (§12.2.1.1): the route set is the 2xx's Record-Route in reverse. */
  inCall(method: "ACK" | "BYE", invite: SipRequest, accepted: SipMessage): void {
    const parts = { invite, accepted: accepted as SipResponse, method, via: this.via() };
    this.send(inDialogRequest(parts, accepted.recordRoutes.toReversed()), this.proxy);
  }

  /** Hangs up a call that it took: the route set is the INVITE's Record-Route as it came (§12.1.1). */
  hangUp(invite: SipRequest): void {
    const headers = [
      makeHeaderLine("Via", this.via()),
      makeHeaderLine("Max-Forwards", "70"),
      ...invite.recordRoutes.map((route) => makeHeaderLine("Route", route)),
      makeHeaderLine("From", `${invite.header("to")};tag=udp`),
      makeHeaderLine("To", invite.header("from") ?? ""),
      makeHeaderLine("Call-ID", invite.callId),
      makeHeaderLine("CSeq", "1 BYE"),
      makeHeaderLine("Content-Length", "0"),
    ];
    this.send(new SipRequest(`BYE ${invite.contact?.uri} SIP/2.0`, headers, Buffer.alloc(0)), this.proxy);
  }

  private via(): string {
    this.branch += 1;
    return `SIP/2.0/UDP 127.0.0.1:${this.port};branch=z9hG4bK-${this.port}-${this.branch};rport`;
  }

  private take(octets: Buffer, from: Place): void {
    const parsed = parseMessage(octets);
    if (parsed.kind === "keepalive") return;
    const message = parsed.kind === "request" ? parsed.request : parsed.response;
    this.got.push(message);
    if (!(message instanceof SipRequest) || message.method === "ACK") return;
    if (message.method === "INVITE") this.send(responseTo(message, 180, { toTag: "udp" }), from);
    this.send(this.answer(message), from);
  }

  private answer(request: SipRequest): SipResponse {
    let response = responseTo(request, 200, {
      toTag: "udp",
      headers: [{ name: "Contact", value: `<sip:udp@127.0.0.1:${this.port}>` }],
    });
    for (const route of request.recordRoutes) response = response.addHeader("Record-Route", route);
    if (request.method !== "INVITE") return response;
    const body = Buffer.from(SDP);
    response = response.setHeader("Content-Length", String(body.length)).addHeader("Content-Type", "application/sdp");
    return new SipResponse(response.startLine, response.headers, body);
  }

  private send(message: SipMessage, to: Place): void {
    this.socket.send(message.toBuffer(), to.port, to.address);
  }
}

export const SDP =
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

export const PAGE = "https://portal.a.example";

/** What a browser's global WebSocket does: it says which page it belongs to. Certificates of tests sign themselves. */
class PageWebSocket extends NodeWebSocket {
  constructor(url: string, protocols: string | string[]) {
    super(url, protocols, { origin: PAGE, rejectUnauthorized: false });
  }
}

/** No media: a session description as it is. */
const descriptions = (body: string) => (): SessionDescriptionHandler => ({
  close: () => undefined,
  getDescription: async () => ({ body, contentType: "application/sdp" }),
  hasDescription: () => true,
  rollbackDescription: async () => undefined,
  setDescription: async () => undefined,
  sendDtmf: () => false,
});

/** A connected sip.js UserAgent. @param onInvite - is given calls to it */
export async function browserAgent(
  url: string,
  user: string,
  parts: { readonly body?: string; readonly onInvite?: (call: Session) => void } = {},
): Promise<UserAgent> {
  Object.assign(globalThis, { WebSocket: PageWebSocket });
  const agent = new UserAgent({
    uri: UserAgent.makeURI(`sip:${user}@a.example`) ?? failed("no URI"),
    transportOptions: { server: url, keepAliveInterval: 1 },
    sessionDescriptionHandlerFactory: descriptions(parts.body ?? SDP),
    delegate: { onInvite: (call) => parts.onInvite?.(call) },
    logBuiltinEnabled: false,
    gracefulShutdown: false,
  });
  await agent.start();
  return agent;
}

export function failed(what: string): never {
  throw new Error(what);
}

export async function until(isTrue: () => boolean, what = "it never came to that"): Promise<void> {
  const end = Date.now() + 5000;
  while (!isTrue()) {
    if (Date.now() > end) failed(what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

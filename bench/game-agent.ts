/**
 * A player without a screen, on a host of the lab: invites or answers by SIP over UDP, and while a session stands sends
 * packets of a game's size at its rate. Driven over IPC; argument: JSON of `Setting`. Times are of CLOCK_MONOTONIC, which
 * all namespaces of a machine have in common.
 */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { description, header, headers, type Message, mediaPort, parse, request, responseTo } from "./game-sip.js";

export interface Setting {
  readonly user: string;
  readonly domain: string;
  readonly address: string;
  readonly proxy: string;
}

export type Order =
  | { readonly kind: "invite"; readonly to: string; readonly mediaPort: number; readonly sessionClass?: string }
  /** The game is over: nothing more is sent. */
  | { readonly kind: "stop" }
  | { readonly kind: "bye" };

export type Told =
  | { readonly kind: "ready" }
  | { readonly kind: "invited"; readonly at: number }
  | {
      readonly kind: "answered";
      readonly at: number;
      readonly status: number;
      readonly granted: readonly string[];
      readonly warning: string;
    }
  /** The other side's first packet is here. */
  | { readonly kind: "media"; readonly at: number }
  | { readonly kind: "ended"; readonly sent: number };

const SIP_PORT = 5060;
const GAP_MS = 1000 / 60;
/** Of UDP: 197 octets at layer 3 is what a state packet of the page's game takes over IPv6 with DTLS and SCTP. */
const PAYLOAD = 169;
const RESEND_MS = 500;
const RESENDS = 12;

const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const token = (): string => randomBytes(8).toString("hex");
const tell = (told: Told): void => {
  process.send?.(told);
};

/** The stream of one session. Its head is that of RTP, by which captures tell packets apart. */
class Stream {
  readonly #socket: Socket;
  readonly #packet = Buffer.alloc(PAYLOAD);
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(address: string, port: number) {
    this.#socket = createSocket("udp4");
    this.#socket.once("message", () => tell({ kind: "media", at: now() }));
    this.#socket.on("error", () => undefined);
    this.#socket.bind(port, address);
    this.#packet.writeUInt16BE(0x8060, 0);
    randomBytes(4).copy(this.#packet, 8);
  }

  start(address: string, port: number): void {
    if (this.#timer !== undefined) return;
    let next = now();
    const due = (): void => {
      if (now() < next) return;
      // What a busy machine made it late with is left out: a game sends its latest state, not all that it missed.
      next = Math.max(next + GAP_MS, now() - GAP_MS);
      this.#send(address, port);
    };
    this.#timer = setInterval(due, GAP_MS / 8);
    due();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  close(): number {
    this.stop();
    this.#socket.close();
    return this.#sent;
  }

  #send(address: string, port: number): void {
    // The socket may read it later.
    const packet = Buffer.from(this.#packet);
    packet.writeUInt16BE(this.#sent & 0xffff, 2);
    packet.writeUInt32BE(this.#sent, 4);
    this.#sent += 1;
    this.#socket.send(packet, port, address);
  }
}

interface Dialog {
  readonly callId: string;
  readonly own: string;
  readonly other: string;
  readonly target: string;
  readonly routes: readonly string[];
}

/** One session at a time. */
class Player {
  readonly #setting: Setting;
  readonly #socket = createSocket("udp4");
  #stream: Stream | undefined;
  #dialog: Dialog | undefined;
  /** Of the request that waits for an answer. */
  #resend: NodeJS.Timeout | undefined;
  /** What an INVITE that comes twice is answered with. */
  #answer: Buffer | undefined;
  #answered = "";

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#socket.on("message", (octets, from) => this.#take(parse(octets), from.address));
    this.#socket.bind(SIP_PORT, setting.address, () => tell({ kind: "ready" }));
  }

  invite({ to, mediaPort: port, sessionClass }: Extract<Order, { kind: "invite" }>): void {
    const { user, domain, address } = this.#setting;
    this.#stream = new Stream(address, port);
    const lines = [
      ...this.#via(),
      `From: <sip:${user}@${domain}>;tag=${token()}`,
      `To: <sip:${to}>`,
      `Call-ID: ${token()}@${address}`,
      "CSeq: 1 INVITE",
      this.#contact(),
    ];
    const invite = request(`INVITE sip:${to}`, lines, description({ address, port, isOffer: true, sessionClass }));
    tell({ kind: "invited", at: now() });
    this.#sendUntilAnswered(invite);
  }

  stop(): void {
    this.#stream?.stop();
  }

  bye(): void {
    const dialog = this.#dialog;
    if (dialog !== undefined) this.#sendUntilAnswered(this.#within(dialog, "BYE", 2));
  }

  #take(message: Message, from: string): void {
    if (message.start.startsWith("SIP/2.0 ")) this.#takeResponse(message);
    else if (message.start.startsWith("INVITE ")) this.#takeInvite(message, from);
    else if (message.start.startsWith("ACK ")) this.#flow(this.#answered);
    else if (message.start.startsWith("BYE ")) {
      this.#send(responseTo(message, "200 OK", []), from);
      this.#end();
    }
  }

  #takeResponse(message: Message): void {
    const status = Number(message.start.slice(8, 11));
    if (status < 200) return;
    clearInterval(this.#resend);
    if (header(message, "CSeq").endsWith("BYE")) {
      this.#end();
      return;
    }
    const isRepeated = this.#dialog?.other === header(message, "To");
    const dialog: Dialog = {
      callId: header(message, "Call-ID"),
      own: header(message, "From"),
      other: header(message, "To"),
      target: /<([^>]+)>/.exec(header(message, "Contact"))?.[1] ?? "",
      routes: headers(message, "Record-Route").toReversed(),
    };
    if (status >= 300) this.#refused(message, dialog);
    else {
      this.#send(this.#within(dialog, "ACK", 1));
      this.#dialog = dialog;
      if (isRepeated) return;
      this.#flow(message.body);
    }
    const granted = headers(message, "Sluice-Granted");
    tell({ kind: "answered", at: now(), status, granted, warning: header(message, "Warning") });
  }

  /** RFC 3261 §17.1.1.3: this ACK is the INVITE's own, by its branch. */
  #refused(message: Message, { own, other, callId }: Dialog): void {
    const target = /<([^>]+)>/.exec(other)?.[1] ?? "";
    const lines = [`Via: ${header(message, "Via")}`, "Max-Forwards: 70", `From: ${own}`, `To: ${other}`];
    this.#send(request(`ACK ${target}`, [...lines, `Call-ID: ${callId}`, "CSeq: 1 ACK"]));
    this.#end();
  }

  /** Answered at once: a player who has waited for this. */
  #takeInvite(message: Message, from: string): void {
    const { address } = this.#setting;
    if (this.#dialog?.callId !== header(message, "Call-ID")) {
      this.#stream?.close();
      const port = mediaPort(message.body);
      const sessionClass = /a=sluice-class:(\S+)/.exec(message.body)?.[1];
      this.#stream = new Stream(address, port);
      const extra = [...headers(message, "Record-Route").map((route) => `Record-Route: ${route}`), this.#contact()];
      const body = description({ address, port, isOffer: false, sessionClass });
      this.#answer = responseTo(message, "200 OK", extra, body);
      this.#answered = message.body;
      const [callId, other] = [header(message, "Call-ID"), header(message, "From")];
      this.#dialog = { callId, own: "", other, target: "", routes: [] };
      this.#send(responseTo(message, "180 Ringing", extra), from);
    }
    if (this.#answer !== undefined) this.#send(this.#answer, from);
  }

  #flow(description: string): void {
    const address = /c=IN IP4 (\S+)/.exec(description)?.[1] ?? "";
    this.#stream?.start(address, mediaPort(description));
  }

  #end(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#dialog = undefined;
    if (stream !== undefined) tell({ kind: "ended", sent: stream.close() });
  }

  #within({ callId, own, other, target, routes }: Dialog, method: string, cseq: number): Buffer {
    const lines = [
      ...this.#via(),
      ...routes.map((route) => `Route: ${route}`),
      `From: ${own}`,
      `To: ${other}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
    ];
    return request(`${method} ${target}`, lines);
  }

  readonly #via = (): readonly string[] => [
    `Via: SIP/2.0/UDP ${this.#setting.address}:${SIP_PORT};branch=z9hG4bK${token()}`,
    "Max-Forwards: 70",
  ];

  readonly #contact = (): string => `Contact: <sip:${this.#setting.user}@${this.#setting.address}:${SIP_PORT}>`;

  #sendUntilAnswered(octets: Buffer): void {
    let left = RESENDS;
    this.#send(octets);
    clearInterval(this.#resend);
    this.#resend = setInterval(() => {
      if (left-- > 0) this.#send(octets);
      else clearInterval(this.#resend);
    }, RESEND_MS);
  }

  #send(octets: Buffer, to = this.#setting.proxy): void {
    this.#socket.send(octets, SIP_PORT, to);
  }
}

const player = new Player(JSON.parse(process.argv[2] ?? "{}") as Setting);
process.on("message", (order: Order) => {
  switch (order.kind) {
    case "invite":
      player.invite(order);
      break;
    case "stop":
      player.stop();
      break;
    case "bye":
      player.bye();
      break;
    default:
      order satisfies never;
  }
});
process.on("disconnect", () => process.exit());

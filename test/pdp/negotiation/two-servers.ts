/** Two policy servers with ledgers of their own, and the messages of one session between a.example and b.example. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import type { PathQuality } from "../../../src/model/quality.js";
import { type SessionId, sessionIdOf } from "../../../src/model/session.js";
import { kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import { LocalAuthority } from "../../../src/pdp/authority-local.js";
import { AdmissionLedger } from "../../../src/pdp/ledger.js";
import { grantedHeaders } from "../../../src/pdp/negotiation/granted-header.js";
import type { SessionClass } from "../../../src/pdp/negotiation/session-class.js";
import { RuleBook } from "../../../src/pdp/rules.js";
import type { SessionAnswer } from "../../../src/pdp/session-facts.js";
import type { SessionServiceOptions } from "../../../src/pdp/session-options.js";
import type { SessionRecord } from "../../../src/pdp/session-record.js";
import { SessionService } from "../../../src/pdp/session-service.js";
import { SessionStore } from "../../../src/pdp/session-store.js";
import { readAnswer, readInvite, readMessage, readReoffer } from "../../../src/pdp/sip/message-reading.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { FakeClock } from "../../support/fake-clock.js";
import { MemoryRouter } from "../memory-router.js";

export const CALLER = "10.1.0.10";
export const CALLEE = "10.3.0.10";

const SESSION_CLASSES: readonly SessionClass[] = [
  { name: "fps", class: "game", latency: millis(40), ack: "routed" },
  { name: "rts", class: "game", ack: "direct", maxRate: kilobitsPerSecond(200) },
  { name: "talk", class: "voice", latency: millis(150), jitter: millis(30), loss: 0.01, ack: "routed" },
  { name: "safe", class: "game", security: "dtls", ack: "routed" },
  { name: "film", class: "voice", ack: "routed" },
];

export interface Room {
  /** kbit/s at layer 3 for 50 packets a second, each direction. */
  readonly voice?: number;
  readonly game?: number;
}

/** One side. */
export class Side {
  readonly directory = mkdtempSync(join(tmpdir(), "sluice-negotiation-"));
  readonly router = new MemoryRouter();
  readonly clock = new FakeClock();
  readonly settled: SessionRecord[] = [];
  readonly told: string[] = [];
  /** By pool. */
  readonly paths = new Map<string, PathQuality>();
  readonly ledger: AdmissionLedger;
  readonly store: SessionStore;
  service: SessionService;
  readonly options: SessionServiceOptions;
  readonly name: string;
  readonly #rules;

  constructor(side: "originating" | "terminating", { voice = 1000, game = 1000 }: Room = {}) {
    const own =
      side === "originating"
        ? { letter: "a", networks: ["10.1.0.0/24", "fd01::/64"] }
        : { letter: "b", networks: ["10.3.0.0/24", "fd03::/64"] };
    this.name = `pol.${own.letter}.example`;
    const prefixes = own.networks.flatMap((text) => parsePrefix(text) ?? []);
    this.#rules = { domain: `${own.letter}.example`, prefixes, symmetric: true };
    // 14 octets of layer 2 for each of 50 packets.
    const rate = (layer3: number) => kilobitsPerSecond(layer3 + 5.6);
    this.ledger = new AdmissionLedger([
      { name: "voice", rate: rate(voice) },
      { name: "game", rate: rate(game) },
    ]);
    const store = new SessionStore(join(this.directory, "pdp.db"));
    this.store = store;
    this.options = {
      rules: new RuleBook(
        [
          { name: "games", from: "*", to: "*", treatment: "assured", sessionClasses: ["fps", "rts", "safe"] },
          { name: "calls", from: "*", to: "*", treatment: "assured", class: "voice", sessionClasses: ["talk"] },
          { name: "films", from: "*", to: "*", treatment: "bestEffort", sessionClasses: ["film"] },
        ],
        "refuse",
      ),
      classes: new Map([
        ["voice", { name: "voice", pool: "voice", phb: "EF" as const }],
        ["game", { name: "game", pool: "game", phb: "VA" as const }],
      ]),
      sessionClasses: new Map(SESSION_CLASSES.map((each) => [each.name, each])),
      quality: { of: (pool) => this.paths.get(pool) },
      ledger: this.ledger,
      authority: new LocalAuthority(() => store.nextNumber("transaction")),
      enforcement: this.router,
      store,
      linkOverhead: octets(14),
      clock: this.clock,
      log: SILENT_LOGGER,
      settle: (record) => this.settled.push(record),
      onShed: ({ shed }, treatment) => this.told.push(`${treatment} ${shed?.cause}`),
      directivesOf: () => ({ addHeaders: [], removeHeaders: [] }),
    };
    this.service = new SessionService(this.options);
    this.router.service = this.service;
  }

  close(): void {
    this.store.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** After a restart, or with other rules. */
  use(service: SessionService): this {
    this.service = service;
    this.router.service = service;
    return this;
  }

  /** One rule for all. */
  ruleBook(sessionClasses: readonly string[], serviceClass: string): RuleBook {
    const rule = { name: "all", from: "*", to: "*", treatment: "assured", sessionClasses } as const;
    return new RuleBook([{ ...rule, class: serviceClass }], "refuse");
  }

  /** AAA. */
  async invite(sdp: string): Promise<SessionAnswer> {
    const facts = readInvite(message("INVITE sip:bob@b.example SIP/2.0", sdp) as SipRequest, "sip", this.#rules);
    if (facts.ok) return this.service.authorise(facts.value);
    if (facts.about !== undefined) await this.service.refuseUnread(facts.about, facts.refusal);
    return facts.refusal;
  }

  /** LDP with a response, or an ACK. */
  async answer(sdp: string, start = "SIP/2.0 200 OK"): Promise<SessionAnswer> {
    const answer = readAnswer(message(start, sdp), this.record, this.#rules);
    return answer.ok ? this.service.reserve(SESSION, answer.value) : this.service.refuseAnswer(SESSION, answer.refusal);
  }

  /** A re-INVITE of the caller. */
  async reoffer(sdp: string): Promise<SessionAnswer> {
    const { side } = this.record;
    const invite = message("INVITE sip:bob@b.example SIP/2.0", sdp, { toTag: true });
    const read = readReoffer(invite, { callerTag: "caller", side }, this.#rules);
    if (!read.ok) return read.refusal;
    if (read.value === undefined) throw new Error("no offer");
    return this.service.reoffer(SESSION, read.value.offer, read.value.flows);
  }

  get record(): SessionRecord {
    const record = this.service.get(SESSION);
    if (record === undefined) throw new Error("no session");
    return record;
  }

  /** Values of Sluice-Granted, without what names the server. */
  get granted(): readonly string[] {
    const headers = grantedHeaders(this.service.get(SESSION) ?? {}, this.name);
    return headers.flatMap(({ value }) => value.split(", ")).map((value) => value.replace(/;by=.*$/, ""));
  }

  /** Nothing is held, in the ledger and at the router. */
  get isIdle(): boolean {
    const used = this.ledger.view().some(({ usedUp, usedDown, sessions }) => usedUp + usedDown + sessions > 0);
    return !used && this.router.installed.size === 0;
  }
}

export const SESSION: SessionId = sessionIdOf("call", "caller");

function message(start: string, body: string, { toTag = !start.startsWith("INVITE") } = {}) {
  const headers = [
    start,
    "Via: SIP/2.0/UDP 10.1.0.10:5060;branch=z9hG4bKx",
    "From: <sip:alice@a.example>;tag=caller",
    `To: <sip:bob@b.example>${toTag ? ";tag=callee" : ""}`,
    "Call-ID: call",
    `CSeq: 1 ${start.startsWith("ACK") ? "ACK" : "INVITE"}`,
    `Contact: <sip:ua@${start.startsWith("SIP/2.0") ? CALLEE : CALLER}:5060>`,
    "Max-Forwards: 70",
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ];
  return readMessage(Buffer.from(headers.join("\r\n")));
}

/** Where the two servers came to, when the 200 has passed both. */
export interface Outcome {
  /** What refused: `invite 1`, `invite 2`, `answer 2`, `answer 1`. */
  readonly refused?: string;
  readonly reason?: string;
  /** Of the terminating server, whom the answer passes first, and of the originating one. */
  readonly granted: readonly (readonly string[])[];
}

/** INVITE and 200 through both, as their proxies ask; a refusal ends the session at both. */
export async function setUp(
  one: Side,
  two: Side,
  sdp: { readonly offer: string; readonly answer: string },
): Promise<Outcome> {
  const steps: readonly (readonly [string, () => Promise<SessionAnswer>])[] = [
    ["invite 1", () => one.invite(sdp.offer)],
    ["invite 2", () => two.invite(sdp.offer)],
    ["answer 2", () => two.answer(sdp.answer)],
    ["answer 1", () => one.answer(sdp.answer)],
  ];
  for (const [refused, step] of steps) {
    const answer = await step();
    if (answer.admitted) continue;
    for (const side of [one, two]) await side.service.release(SESSION, "failure");
    return { refused, reason: answer.reason, granted: [] };
  }
  return { granted: [two.granted, one.granted] };
}

/** One description. @param media - each medium's own lines, the first without `m=` */
export function sdp(address: string, ...media: readonly (readonly string[])[]): string {
  const place = `IN ${address.includes(":") ? "IP6" : "IP4"} ${address}`;
  const session = ["v=0", `o=- 1 1 ${place}`, "s=-", `c=${place}`, "t=0 0"];
  return [...session, ...media.flat(), ""].join("\r\n");
}

/** A port for each medium of a description. */
const port = (nth: number): number => 6000 + 2 * nth;

/** Audio as bare G.711: 80 kbit/s at layer 3, RTCP turned off. */
export const audio = (nth: number, ...lines: readonly string[]): readonly string[] => [
  `m=audio ${port(nth)} RTP/AVP 0`,
  "b=RS:0",
  "b=RR:0",
  "a=ptime:20",
  ...lines.map((line) => `a=${line}`),
];

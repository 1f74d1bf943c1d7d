/** A proxy's enforcement point and a policy server for tests, and the messages of one call. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { DEFAULT_COPS_LIMITS } from "../../../src/cops/endpoint/limits.js";
import { PdpServer } from "../../../src/cops/endpoint/pdp-server.js";
import { PepClient } from "../../../src/cops/endpoint/pep-client.js";
import { DEFAULT_SIP_CLIENT_TYPE } from "../../../src/cops/sip/codes.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { sessionIdOf } from "../../../src/model/session.js";
import { kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import { LocalAuthority } from "../../../src/pdp/authority-local.js";
import type { EnforcementChange } from "../../../src/pdp/enforcement.js";
import { AdmissionLedger } from "../../../src/pdp/ledger.js";
import { policyServer } from "../../../src/pdp/policy-server.js";
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import { RuleBook } from "../../../src/pdp/rules.js";
import type { SessionRecord } from "../../../src/pdp/session-record.js";
import { SessionService } from "../../../src/pdp/session-service.js";
import { SessionStore } from "../../../src/pdp/session-store.js";
import { SipLink } from "../../../src/pdp/sip/sip-link.js";
import { DialogStore } from "../../../src/pep/sip/dialog-store.js";
import { SipPep } from "../../../src/pep/sip/sip-pep.js";
import type { SipRequest, SipResponse } from "../../../src/sip/message/message.js";
import { parseMessage } from "../../../src/sip/message/parse.js";
import type { DialogContext, SessionControl } from "../../../src/sip/proxy/policy.js";

export const sdp = (address: string, port: number) =>
  `v=0\r\no=- 1 1 IN IP4 ${address}\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\n`;

export function sip(start: string, body = "", callId = "call-1"): SipRequest | SipResponse {
  const toTag = start.startsWith("INVITE") ? "" : ";tag=callee";
  const head = [
    start,
    "Via: SIP/2.0/UDP 10.1.0.10;branch=z9hG4bKx",
    "From: <sip:alice@a.example>;tag=caller",
    `To: <sip:bob@b.example>${toTag}`,
    `Call-ID: ${callId}`,
    "CSeq: 1 INVITE",
    "Contact: <sip:x@10.3.0.10>",
    "Max-Forwards: 70",
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${body.length}`,
  ];
  const parsed = parseMessage(Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`));
  if (parsed.kind === "keepalive") throw new Error("a message was meant");
  return parsed.kind === "request" ? parsed.request : parsed.response;
}
export const invite = (callId = "call-1") =>
  sip("INVITE sip:bob@b.example SIP/2.0", sdp("10.1.0.10", 6000), callId) as SipRequest;
export const response = (status: number, body = sdp("10.3.0.10", 7000), callId = "call-1") =>
  sip(`SIP/2.0 ${status} Fine`, body, callId) as SipResponse;
export const context = (callId = "call-1"): DialogContext => ({
  session: sessionIdOf(callId, "caller"),
  callId,
  callerTag: "caller",
  calleeTag: "callee",
  side: "originating",
  caller: "sip:alice@a.example",
  callee: "sip:bob@b.example",
  source: { address: "10.1.0.10", port: 5060 },
});

/** A proxy's enforcement point and a policy server over loopback TCP; only the router is a stand-in. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), "sluice-sip-"));
  readonly changes: EnforcementChange[] = [];
  readonly settled: SessionRecord[] = [];
  readonly asked: string[] = [];
  /** What the proxy was told to do to sessions, and whether it can. */
  readonly told: string[] = [];
  controllable = true;
  readonly control: SessionControl = {
    hangUp: ({ session }, { refusal, headers }) => {
      this.told.push(`hang up ${session}: ${headers.map(({ name, value }) => `${name}: ${value}`)}; ${refusal.status}`);
      return this.controllable;
    },
    notify: ({ session }, headers) => {
      this.told.push(`notify ${session}: ${headers.map(({ name, value }) => `${name}: ${value}`)}`);
      return this.controllable;
    },
  };
  whenShed: "bestEffort" | "bye" = "bye";
  service: SessionService | undefined;
  server: PdpServer | undefined;
  store: SessionStore | undefined;
  pep: SipPep | undefined;
  client: PepClient | undefined;
  dialogs: DialogStore | undefined;
  port = 0;

  async startServer(): Promise<void> {
    const store = new SessionStore(join(this.directory, "pdp.db"));
    this.store = store;
    const service = new SessionService({
      rules: new RuleBook([{ name: "calls", from: "*", to: "*", treatment: "assured", class: "voice" }], "refuse"),
      classes: new Map([["voice", { name: "voice", pool: "voice", whenShed: this.whenShed }]]),
      ledger: new AdmissionLedger([{ name: "voice", rate: kilobitsPerSecond(170) }]),
      authority: new LocalAuthority(() => store.nextNumber("transaction")),
      enforcement: {
        connected: true,
        change: (change) => {
          this.changes.push(change);
          return Promise.resolve({ admitted: true });
        },
      },
      store,
      linkOverhead: octets(14),
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      settle: (record) => this.settled.push(record),
      onShed: (record) => link.shed(record),
      directivesOf: () => ({
        addHeaders: [{ name: "X-Token", value: "t" }],
        removeHeaders: [],
        nextHop: "sip:10.3.0.5:5060",
      }),
    });
    this.service = service;
    const prefixes = ["10.1.0.0/24"].flatMap((text) => parsePrefix(text) ?? []);
    const link: SipLink = new SipLink({
      service,
      rules: { domain: "a.example", prefixes, symmetric: true },
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      agent: "pol1.a.example",
      onExchange: (_session, message, action) => {
        if (action === "received") this.asked.push(message);
      },
    });
    const router = new RouterLink({
      router: "r1",
      pools: [],
      classes: [],
      timeout: millis(100),
      log: SILENT_LOGGER,
      sessions: () => [],
      events: () => service,
    });
    this.server = new PdpServer(
      {
        address: "127.0.0.1",
        port: this.port,
        clock: SYSTEM_CLOCK,
        log: SILENT_LOGGER,
        limits: DEFAULT_COPS_LIMITS,
        clientTypes: [DEFAULT_SIP_CLIENT_TYPE],
      },
      policyServer({ sip: link, router, routerName: "r1", keepAlive: 30, log: SILENT_LOGGER }),
    );
    this.port = await this.server.listen();
  }

  async stopServer(): Promise<void> {
    await this.server?.close();
    this.store?.close();
  }

  async startProxy(onLoss: "refuse" | "bestEffort" = "refuse"): Promise<void> {
    this.dialogs = new DialogStore(join(this.directory, "proxy.db"));
    this.pep = new SipPep({
      store: this.dialogs,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      agent: "sip1.a.example",
      onLoss,
      linger: millis(1),
    });
    this.client = new PepClient(
      {
        servers: [{ address: "127.0.0.1", port: this.port }],
        pepId: "sip1.a.example",
        clientType: DEFAULT_SIP_CLIENT_TYPE,
        clock: SYSTEM_CLOCK,
        log: SILENT_LOGGER,
        limits: DEFAULT_COPS_LIMITS,
        requestTimeout: millis(1000),
        reconnect: { min: millis(10), max: millis(50) },
      },
      this.pep,
    );
    this.pep.start(this.client, this.control);
  }

  async connected(): Promise<void> {
    await vi.waitFor(() => expect(this.client?.state).toBe("open"));
  }

  async stopProxy(): Promise<void> {
    await this.client?.close();
    this.dialogs?.close();
  }

  async close(): Promise<void> {
    await this.stopProxy();
    await this.stopServer();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get proxy(): SipPep {
    if (this.pep === undefined) throw new Error("not started");
    return this.pep;
  }

  /** A call up to its 200. */
  async call(callId?: string): Promise<void> {
    const verdicts = [
      await this.proxy.invite(context(callId), invite(callId)),
      await this.proxy.response(context(callId), response(180, undefined, callId)),
      await this.proxy.response(context(callId), response(200, undefined, callId)),
    ];
    for (const verdict of verdicts) expect(verdict).toMatchObject({ forward: true });
  }

  live(): readonly string[] {
    return this.service?.live().map(({ state }) => state) ?? [];
  }
}

/** A fresh one in every test, connected; registers its own set-up and tidying. */
export function benches(): () => Bench {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench();
    await bench.startServer();
    await bench.startProxy();
    await bench.connected();
  });
  afterEach(() => bench.close());
  return () => bench;
}

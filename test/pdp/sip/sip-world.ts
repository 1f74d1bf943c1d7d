/** A proxy over COPS and its policy server, with a router in memory; taken away after each test of the file that uses it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { COMMAND } from "../../../src/cops/codec/codes.js";
import type { DecMessage } from "../../../src/cops/codec/message.js";
import { DEFAULT_COPS_LIMITS } from "../../../src/cops/endpoint/limits.js";
import { PdpServer } from "../../../src/cops/endpoint/pdp-server.js";
import { PepClient } from "../../../src/cops/endpoint/pep-client.js";
import {
  aaaContext,
  DEFAULT_SIP_CLIENT_TYPE,
  dialogHandle,
  ldpContext,
  type SipEvent,
} from "../../../src/cops/sip/codes.js";
import { decodeDirectives } from "../../../src/cops/sip/directives.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { type SessionId, sessionIdOf } from "../../../src/model/session.js";
import { dscp, kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import { LocalAuthority } from "../../../src/pdp/authority-local.js";
import { AdmissionLedger } from "../../../src/pdp/ledger.js";
import { policyServer } from "../../../src/pdp/policy-server.js";
import { RouterLink } from "../../../src/pdp/router/router-link.js";
import { RuleBook, type SessionRule } from "../../../src/pdp/rules.js";
import { SessionService } from "../../../src/pdp/session-service.js";
import { SessionStore } from "../../../src/pdp/session-store.js";
import { SipLink } from "../../../src/pdp/sip/sip-link.js";
import { MemoryRouter } from "../memory-router.js";

const parts = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
export const CALL = "call-1";
export const id: SessionId = sessionIdOf(CALL, "a");

export const sdp = (address: string) =>
  ["v=0", `o=- 1 1 IN IP4 ${address}`, "s=-", `c=IN IP4 ${address}`, "t=0 0", "m=audio 6000 RTP/AVP 0", ""].join(
    "\r\n",
  );

export function message(start: string, cseq: string, more: readonly string[], body = ""): Buffer {
  const lines = [
    start,
    "Via: SIP/2.0/UDP 10.1.0.10;branch=z9hG4bK1",
    "From: <sip:alice@a.example>;tag=a",
    `To: <sip:bob@b.example>${start.startsWith("INVITE") && cseq === "1 INVITE" ? "" : ";tag=b"}`,
    `Call-ID: ${CALL}`,
    `CSeq: ${cseq}`,
    "Max-Forwards: 70",
    "Contact: <sip:bob@10.3.0.10>",
    ...more,
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${body.length}`,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}
export const INVITE = message("INVITE sip:bob@b.example SIP/2.0", "1 INVITE", [], sdp("10.1.0.10"));
export const ok = (cseq: string, more: readonly string[], body = sdp("10.3.0.10")) =>
  message("SIP/2.0 200 OK", cseq, more, body);
export const directivesOf = (dec: DecMessage) => decodeDirectives(dec.decisions[0]?.clientSpecific ?? Buffer.alloc(0));

let directory: string;
let closing: (() => unknown)[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-sip-link-"));
  closing = [];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  rmSync(directory, { recursive: true, force: true });
});

/** @param rate - kbit/s of the pool. @param rule - what is served how */
export async function world(rate = 1000, rule: Partial<SessionRule> = {}) {
  const store = new SessionStore(join(directory, "pdp.db"));
  const router = new MemoryRouter();
  const refreshes: string[] = [];
  const service: SessionService = new SessionService({
    rules: new RuleBook(
      [{ name: "calls", from: "*", to: "*", treatment: "assured", class: "voice", ...rule }],
      "refuse",
    ),
    classes: new Map([["voice", { name: "voice", pool: "voice" }]]),
    ledger: new AdmissionLedger([{ name: "voice", rate: kilobitsPerSecond(rate) }]),
    authority: new LocalAuthority(() => store.nextNumber("transaction")),
    enforcement: router,
    store,
    linkOverhead: octets(14),
    ...parts,
    settle: () => undefined,
    onShed: (record) => sip.shed(record),
    directivesOf: () => ({ addHeaders: [], removeHeaders: [] }),
  });
  router.service = service;
  const sip: SipLink = new SipLink({
    service,
    rules: { domain: "a.example", prefixes: [parsePrefix("10.1.0.0/16")!], symmetric: true },
    ...parts,
    agent: "pol1.a.example",
    onRefresh: (session, { interval }, when) => refreshes.push(`${session} ${interval} ${when}`),
  });
  const link = new RouterLink({
    router: "r1",
    pools: [{ id: 1, name: "voice", rate: kilobitsPerSecond(1000) }],
    classes: [{ name: "voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } }],
    timeout: millis(1000),
    log: SILENT_LOGGER,
    sessions: () => [],
    events: () => service,
  });
  const server = new PdpServer(
    {
      address: "127.0.0.1",
      port: 0,
      ...parts,
      limits: DEFAULT_COPS_LIMITS,
      clientTypes: [DEFAULT_SIP_CLIENT_TYPE],
    },
    policyServer({ sip, router: link, routerName: "r1", keepAlive: 30, log: SILENT_LOGGER }),
  );
  const port = await server.listen();
  closing.push(
    () => store.close(),
    () => server.close(),
  );
  return { service, router, refreshes, port };
}

/** Says again what it holds when it is asked, and reports on every decision. */
export async function proxy(port: number, restated?: Buffer) {
  const decided: DecMessage[] = [];
  let synchronized = 0;
  const client: PepClient = new PepClient(
    {
      servers: [{ address: "127.0.0.1", port }],
      pepId: "sip1.a.example",
      clientType: DEFAULT_SIP_CLIENT_TYPE,
      ...parts,
      limits: DEFAULT_COPS_LIMITS,
      requestTimeout: millis(2000),
      reconnect: { min: millis(10), max: millis(50) },
    },
    {
      up: () => undefined,
      down: () => undefined,
      decision: (dec) => {
        decided.push(dec);
        client.report(dec.handle, { type: "success", solicited: true });
      },
      synchronize: () => {
        const again =
          restated === undefined ? undefined : ask("answer", restated, [{ command: COMMAND.install, flags: 0 }]);
        void Promise.resolve(again).then(() => {
          client.synchronizeComplete();
          synchronized += 1;
        });
      },
    },
  );
  const ask = (event: SipEvent, octets: Buffer, lpdp: { command: number; flags: number }[] = []) =>
    client.request({
      handle: dialogHandle(1),
      context: event === "invite" ? aaaContext() : ldpContext(event),
      signaled: [octets],
      lpdp,
    });
  closing.push(() => client.close());
  client.start();
  await vi.waitFor(() => expect(synchronized).toBe(1), 5000);
  const report = (octets: Buffer) => client.report(dialogHandle(1), { type: "success", signaled: [octets] });
  return { client, decided, ask, report };
}

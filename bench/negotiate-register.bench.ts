/**
 * What a registration costs the proxy: a REGISTER that is challenged and the one that answers, by SHA-256, octets to
 * octets, with the registrations kept on disk. Without sockets: those are the kernel's.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SYSTEM_CLOCK } from "../src/model/clock.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { seconds } from "../src/model/units.js";
import { SqliteBindingStore } from "../src/pep/sip/binding-store.js";
import { digestResponse, ha1Of } from "../src/sip/auth/algorithms.js";
import { CredentialStore } from "../src/sip/auth/credential-store.js";
import { DigestVerifier } from "../src/sip/auth/verifier.js";
import { ProxyCore } from "../src/sip/proxy/core.js";
import { OPEN_POLICY } from "../src/sip/proxy/policy.js";
import { Registrar } from "../src/sip/registrar/registrar.js";
import type { MessageHandler, SipTransport } from "../src/sip/transport/transport.js";
import { median, printFigure, rounded } from "./figure.js";

const USERS = 5_000;
const ROUNDS = 4;
const GOAL_PER_SECOND = 1_000;
const REALM = "a.example";
const LOCAL = { address: "192.0.2.1", port: 5060, transport: "udp" } as const;
const clock = SYSTEM_CLOCK;
const logger = SILENT_LOGGER;

let deliver: MessageHandler = () => undefined;
let last = "";
const transport: SipTransport = {
  locals: [LOCAL],
  onMessage: (handler) => {
    deliver = handler;
  },
  onFlowClosed: () => undefined,
  flow: () => undefined,
  reach: async () => true,
  send: (octets) => {
    last = octets.toString("latin1");
  },
};

const accounts = Array.from({ length: USERS }, (_, nth) => {
  const user = `user${nth}`;
  return { user, domain: REALM, ha1: { "SHA-256": ha1Of("SHA-256", { user, realm: REALM, password: user }) } };
});

/** A proxy that takes over the transport. */
function proxy(isAuthenticated: boolean): { close(): void } {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const store = new SqliteBindingStore({ path: join(folder, "registrations.db"), clock, log: logger });
  const registrar = new Registrar({ clock, logger, store });
  const credentials = new CredentialStore({ accounts, firstDomain: REALM });
  const verifier = new DigestVerifier({ credentials });
  const authentication = {
    ...{ verifier, credentials, always: false },
    ...({ algorithms: ["SHA-256"], webAlgorithms: ["MD5"] } as const),
  };
  const core = new ProxyCore({
    transport,
    clock,
    logger,
    policy: OPEN_POLICY,
    table: { domains: [REALM], users: new Map(), routes: new Map() },
    limits: { transactions: 1_000_000 },
    users: { registrar, flowGrace: seconds(10), ...(isAuthenticated ? { authentication } : {}) },
  });
  return {
    close: () => {
      core.close();
      registrar.close();
      store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

let cseq = 0;

function ask(nth: number, authorization: string): number {
  cseq += 1;
  const address = `198.51.${100 + (nth >> 8)}.${nth & 255}`;
  const lines = [
    `REGISTER sip:${REALM} SIP/2.0`,
    `Via: SIP/2.0/UDP ${address}:5060;branch=z9hG4bK${cseq};rport`,
    "Max-Forwards: 70",
    `From: <sip:user${nth}@${REALM}>;tag=${nth}`,
    `To: <sip:user${nth}@${REALM}>`,
    `Call-ID: ${nth}@${address}`,
    `CSeq: ${cseq} REGISTER`,
    `Contact: <sip:user${nth}@${address}>;expires=600`,
    ...(authorization === "" ? [] : [`Authorization: ${authorization}`]),
    "Content-Length: 0",
  ];
  deliver(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), { address, port: 5060, transport: "udp" }, LOCAL);
  return Number(last.slice(8, 11));
}

/** What the user's agent spends is not the proxy's. */
function credentialsOf(nth: number): string {
  const nonce = /nonce="([^"]+)"/.exec(last)?.[1] ?? "";
  const input = { method: "REGISTER", uri: `sip:${REALM}`, nonce, nc: "00000001", cnonce: "c" };
  const response = digestResponse("SHA-256", accounts[nth]?.ha1["SHA-256"] ?? "", input);
  return (
    `Digest username="user${nth}", realm="${REALM}", nonce="${nonce}", uri="sip:${REALM}", algorithm=SHA-256, ` +
    `qop=auth, nc=00000001, cnonce="c", response="${response}"`
  );
}

/** Milliseconds of the proxy's time for each registration of one round, disk included. */
async function round(isAuthenticated: boolean): Promise<number> {
  let spent = 0;
  for (let nth = 0; nth < USERS; nth++) {
    const started = performance.now();
    const challenged = isAuthenticated ? ask(nth, "") : 401;
    const paused = performance.now();
    const answer = isAuthenticated ? credentialsOf(nth) : "";
    const resumed = performance.now();
    const accepted = ask(nth, answer);
    spent += performance.now() - resumed + (paused - started);
    if (challenged !== 401 || accepted !== 200) throw new Error(`answered ${challenged}, ${accepted}`);
  }
  // What is kept is written a moment later.
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 60));
  return (spent + (performance.now() - started)) / USERS;
}

async function perSecond(isAuthenticated: boolean): Promise<number> {
  const { close } = proxy(isAuthenticated);
  const rounds: number[] = [];
  for (let nth = 0; nth < ROUNDS; nth++) rounds.push(await round(isAuthenticated));
  close();
  return 1000 / median(rounds.toSorted((left, right) => left - right));
}

const believed = await perSecond(false);
const proven = await perSecond(true);
printFigure({
  bench: "negotiate",
  figure: `registrations of ${USERS} users over and over, each challenged and proven by SHA-256, one core`,
  value: rounded(proven),
  unit: "/s",
  baseline: rounded(believed),
  ratio: rounded(proven / believed),
  goal: `>= ${GOAL_PER_SECOND} /s`,
  ok: proven >= GOAL_PER_SECOND,
});

import { createSocket, type Socket } from "node:dgram";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registerer, RegistererState, UserAgent, UserAgentState } from "sip.js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis, timestamp } from "../../../src/model/units.js";
import { SqliteBindingStore } from "../../../src/pep/sip/binding-store.js";
import { ha1Of } from "../../../src/sip/auth/algorithms.js";
import { CredentialStore } from "../../../src/sip/auth/credential-store.js";
import { shortLivedCredentials } from "../../../src/sip/auth/short-lived.js";
import { DigestVerifier } from "../../../src/sip/auth/verifier.js";
import type { SipRequest, SipResponse } from "../../../src/sip/message/message.js";
import { ProxyCore } from "../../../src/sip/proxy/core.js";
import { OPEN_POLICY } from "../../../src/sip/proxy/policy.js";
import type { AddressOfRecord } from "../../../src/sip/registrar/binding.js";
import { Registrar } from "../../../src/sip/registrar/registrar.js";
import type { ConnectionLimits } from "../../../src/sip/transport/limits.js";
import { Transports } from "../../../src/sip/transport/transports.js";
import { nameOf, read } from "../harness.js";
import { answerTo } from "../proxy/users-bench.js";

const REALM = "example.com";
const SECRET = "shared";
const PAGE = "https://portal.example.com";
const closing: (() => unknown)[] = [];
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-registrar-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A proxy on real sockets. @param port - of UDP; 0 takes a free one */
async function proxy(port = 0, limits: Partial<ConnectionLimits> = {}) {
  const clock = SYSTEM_CLOCK;
  const log = SILENT_LOGGER;
  const store = new SqliteBindingStore({ path: join(folder, "registrations.db"), clock, log });
  const registrar = new Registrar({ clock, logger: log, store });
  const accounts = Array.from({ length: 200 }, (_, index) => {
    const user = `phone${index}`;
    return { user, domain: REALM, ha1: { "SHA-256": ha1Of("SHA-256", { user, realm: REALM, password: user }) } };
  });
  const credentials = new CredentialStore({ accounts, secret: SECRET, firstDomain: REALM });
  const verifier = new DigestVerifier({ credentials });
  const transport = await Transports.open({
    addresses: [{ address: "127.0.0.1", port }],
    webSocket: { addresses: [{ address: "127.0.0.1", port: 0 }], path: "/sip", origins: [PAGE] },
    clock,
    logger: log,
    limits,
  });
  transport.keepOnly((flow) => registrar.onFlow(flow).length > 0);
  const authentication = {
    verifier,
    credentials,
    algorithms: ["SHA-256"],
    webAlgorithms: ["MD5"],
    always: false,
  } as const;
  const users = { registrar, authentication, flowGrace: millis(200) };
  const table = { domains: [REALM], users: new Map(), routes: new Map() };
  const core = new ProxyCore({ transport, clock, logger: log, policy: OPEN_POLICY, table, users });
  let isOpen = true;
  const close = async () => {
    if (!isOpen) return;
    isOpen = false;
    core.close();
    registrar.close();
    await transport.close();
    store.close();
  };
  closing.push(close);
  const at = (kind: string) => transport.locals.find((local) => local.transport === kind)?.port ?? 0;
  return { core, transport, registrar, verifier, close, udp: at("udp"), url: `ws://127.0.0.1:${at("ws")}/sip` };
}

/** A telephone: asks, and waits for the final answer. */
class Phone {
  readonly socket: Socket = createSocket("udp4");
  readonly invites: SipRequest[] = [];
  private readonly waiting = new Map<string, (response: SipResponse) => void>();
  private cseq = 0;
  readonly user: string;

  constructor(user: string) {
    this.user = user;
    closing.push(() => this.socket.close());
    this.socket.on("message", (octets) => {
      const message = read(octets);
      if (message.kind === "response")
        this.waiting.get(`${message.callId} ${message.cseq?.number}`)?.(message as SipResponse);
      else if (nameOf(message) === "INVITE") this.invites.push(message as SipRequest);
    });
  }

  ask(port: number, method: string, extra: readonly string[] = [], to = this.user): Promise<SipResponse> {
    this.cseq += 1;
    const callId = `${method}-${this.user}`;
    const own = this.socket.address().port;
    const lines = [
      `${method} sip:${method === "REGISTER" ? "" : `${to}@`}${REALM} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK-${this.user}-${this.cseq};rport`,
      `From: <sip:${this.user}@${REALM}>;tag=${this.user}`,
      `To: <sip:${to}@${REALM}>`,
      `Call-ID: ${callId}`,
      `CSeq: ${this.cseq} ${method}`,
      `Contact: <sip:${this.user}@127.0.0.1:${own}>`,
      ...extra,
      "Content-Length: 0",
    ];
    const answer = new Promise<SipResponse>((resolve) => this.waiting.set(`${callId} ${this.cseq}`, resolve));
    this.socket.send(`${lines.join("\r\n")}\r\n\r\n`, port, "127.0.0.1");
    return answer;
  }

  async register(port: number, password = this.user): Promise<SipResponse> {
    await new Promise<void>((done) => this.socket.bind(0, "127.0.0.1", done));
    const challenge = await this.ask(port, "REGISTER");
    const credentials = answerTo(challenge, "REGISTER", { username: this.user, password });
    return this.ask(port, "REGISTER", [`Authorization: ${credentials}`]);
  }
}

/** sip.js as a page uses it, with the WebSocket of `ws`. */
function page(url: string, user: string, password?: string): { agent: UserAgent; registerer: Registerer } {
  const login = shortLivedCredentials(SECRET, user, timestamp(Date.now() + 60_000));
  vi.stubGlobal(
    "WebSocket",
    class extends WebSocket {
      constructor(address: string, protocol: string) {
        super(address, protocol, { origin: PAGE });
      }
    },
  );
  closing.push(() => vi.unstubAllGlobals());
  const uri = UserAgent.makeURI(`sip:${user}@${REALM}`);
  if (uri === undefined) throw new Error("no URI");
  const agent = new UserAgent({
    uri,
    authorizationUsername: login.username,
    authorizationPassword: password ?? login.password,
    transportOptions: { server: url },
    logBuiltinEnabled: false,
    contactName: user,
    instanceId: "11111111-2222-4333-8444-555555555555",
  });
  closing.push(async () => {
    if (agent.state === UserAgentState.Started && agent.isConnected()) await agent.stop();
  });
  return { agent, registerer: new Registerer(agent, { regId: 1, expires: 120 }) };
}

describe("a browser's agent (sip.js)", () => {
  it("registers with what the portal gave it, is reached by its connection, and is forgotten when that closes", async () => {
    const { url, udp, registrar, verifier } = await proxy();
    const { agent, registerer } = page(url, "zoe");
    const invites: string[] = [];
    agent.delegate = { onInvite: (invitation) => void invites.push(invitation.request.callId) };
    await agent.start();
    await registerer.register();
    await vi.waitFor(() => expect(registerer.state).toBe(RegistererState.Registered));
    expect(verifier.counters).toMatchObject({ challenged: 1, granted: 1, failed: 0 });
    const zoe = `zoe@${REALM}` as AddressOfRecord;
    expect(registrar.reachable(zoe)).toMatchObject([
      { instance: "urn:uuid:11111111-2222-4333-8444-555555555555", regId: 1, arrived: { transport: "ws" } },
    ]);
    // It asked for 120 s, by credentials of 60 s.
    expect((registrar.bindings(zoe)[0]?.expires ?? 0) - Date.now()).toBeLessThanOrEqual(60_000);
    const phone = new Phone("phone1");
    expect((await phone.register(udp)).status).toBe(200);
    void phone.ask(udp, "INVITE", [], "zoe");
    await vi.waitFor(() => expect(invites).toEqual(["INVITE-phone1"]));
    await registerer.register();
    await agent.transport.disconnect();
    await vi.waitFor(() => expect(registrar.bindings(zoe)).toEqual([]));
  });

  it("keeps its connection for as long as it is registered, and not much longer", async () => {
    const { url, transport } = await proxy(0, { unregistered: millis(300) });
    const { agent, registerer } = page(url, "zoe");
    await agent.start();
    await registerer.register();
    await vi.waitFor(() => expect(registerer.state).toBe(RegistererState.Registered));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect([agent.isConnected(), transport.counters.unregistered]).toEqual([true, 0]);
    await registerer.unregister();
    await vi.waitFor(() => expect(agent.isConnected()).toBe(false));
    expect(transport.counters.unregistered).toBe(1);
  });

  it("is refused with a wrong password", async () => {
    const { url, verifier } = await proxy();
    const { agent, registerer } = page(url, "zoe", "guess");
    await agent.start();
    const rejected = new Promise<number>((resolve) => {
      void registerer.register({ requestDelegate: { onReject: ({ message }) => resolve(message.statusCode ?? 0) } });
    });
    expect(await rejected).toBe(401);
    expect(verifier.counters).toMatchObject({ failed: 1, granted: 0 });
  });
});

describe("telephones over UDP", () => {
  it("are still reached after a restart of the proxy, and calls find them", async () => {
    const first = await proxy();
    const phones = Array.from({ length: 50 }, (_, index) => new Phone(`phone${index}`));
    const answers = await Promise.all(phones.map((phone) => phone.register(first.udp)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(first.registrar.size).toBe(50);
    await first.close();
    const second = await proxy(first.udp);
    expect(second.registrar.size).toBe(50);
    void phones[0]?.ask(second.udp, "INVITE", [], "phone7");
    await vi.waitFor(() => expect(phones[7]?.invites).toHaveLength(1));
  });

  it("that guess are refused and counted, and cost no memory that lasts", async () => {
    const { udp, core, verifier, registrar } = await proxy();
    const phone = new Phone("phone1");
    await phone.register(udp, "wrong");
    const statuses: number[] = [];
    for (let guess = 0; guess < 20; guess += 1) {
      const challenge = await phone.ask(udp, "REGISTER");
      const login = { username: "phone1", password: `guess ${guess}` };
      const extra = [`Authorization: ${answerTo(challenge, "REGISTER", login)}`];
      statuses.push((await phone.ask(udp, "REGISTER", extra)).status);
    }
    expect(statuses.slice(0, 4)).toEqual([401, 401, 401, 401]);
    expect(new Set(statuses.slice(4))).toEqual(new Set([403]));
    expect(verifier.counters).toMatchObject({ failed: 5, blocked: 16 });
    expect([core.liveTransactions, registrar.size]).toEqual([0, 0]);
  });
});

/** Whole calls over real sockets: browsers by WebSocket, large requests by TCP. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { Inviter, type Session, SessionState, UserAgent } from "sip.js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import type { MessageEvent } from "../../../src/model/event.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { ProxyCore } from "../../../src/sip/proxy/core.js";
import type { Hop } from "../../../src/sip/proxy/hop.js";
import type { RoutingTable } from "../../../src/sip/proxy/options.js";
import { OPEN_POLICY, type ProxyPolicy } from "../../../src/sip/proxy/policy.js";
import { Transports } from "../../../src/sip/transport/transports.js";
import { browserAgent, failed, PAGE, SDP, UdpAgent, until } from "./agents.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-calls-"));
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost", "-nodes"];
  await execa("openssl", ["req", "-x509", "-days", "1", ...kind, ...files]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end();
});

interface Proxy {
  readonly transport: Transports;
  readonly core: ProxyCore;
  readonly place: { readonly address: string; readonly port: number };
  readonly url: string;
  readonly events: Omit<MessageEvent, "at">[];
}

async function proxy(
  table: Partial<RoutingTable> = {},
  policy: Partial<ProxyPolicy> = {},
  options: { readonly tls?: boolean } = {},
): Promise<Proxy> {
  const place = { address: "127.0.0.1", port: 0 };
  const tls =
    options.tls === true
      ? { key: readFileSync(join(folder, "key.pem")), certificate: readFileSync(join(folder, "cert.pem")) }
      : undefined;
  const transport = await Transports.open({
    addresses: [place],
    webSocket: { addresses: [place], path: "/sip", origins: [PAGE], tls },
    clock: SYSTEM_CLOCK,
    logger: SILENT_LOGGER,
  });
  cleanup.push(() => transport.close());
  const events: Omit<MessageEvent, "at">[] = [];
  const core = new ProxyCore({
    transport,
    clock: SYSTEM_CLOCK,
    logger: SILENT_LOGGER,
    policy: { ...OPEN_POLICY, ...policy },
    table: { domains: [], users: new Map(), routes: new Map(), ...table },
    messageLog: (event) => events.push(event),
  });
  cleanup.push(() => core.close());
  const webSocket = transport.locals.find((local) => local.transport.startsWith("ws")) ?? failed("no WebSocket");
  const udp = transport.locals[0] ?? failed("no UDP");
  const url = `${webSocket.transport}://127.0.0.1:${webSocket.port}/sip`;
  return { transport, core, place: { address: udp.address, port: udp.port }, url, events };
}

async function udpAgent(at: Proxy): Promise<UdpAgent> {
  const agent = await UdpAgent.open(at.place);
  cleanup.push(() => agent.close());
  return agent;
}

const ended: string[] = [];
const recording: Partial<ProxyPolicy> = { ended: async (_context, kind) => void ended.push(kind) };
afterEach(() => void ended.splice(0));

async function callFrom(agent: UserAgent, uri: string): Promise<Inviter> {
  const call = new Inviter(agent, UserAgent.makeURI(uri) ?? failed("no URI"));
  await call.invite();
  return call;
}

const isUp = (call: Session) => () => call.state === SessionState.Established;
const isOver = (call: Session) => () => call.state === SessionState.Terminated;

describe("sip.js in a page", () => {
  const users = new Map<string, { host: string; port: number }>();
  const start = async (tls: boolean, policy: Partial<ProxyPolicy> = recording, onInvite?: (call: Session) => void) => {
    const at = await proxy({ domains: ["b.example"], users }, policy, { tls });
    const callee = await udpAgent(at);
    users.set("udp", { host: "127.0.0.1", port: callee.port });
    const page = await browserAgent(at.url, "page", onInvite === undefined ? {} : { onInvite });
    cleanup.push(() => page.stop());
    return { at, callee, page };
  };

  it.each([false, true])("calls a UDP agent and hangs up (TLS: %s)", async (tls) => {
    const { at, callee, page } = await start(tls);
    const call = await callFrom(page, "sip:udp@b.example");
    await until(isUp(call), "the call was never up");
    await until(() => callee.names.includes("ACK"), "no ACK came");
    await call.bye();
    await until(isOver(call), "the call never ended");
    await until(() => at.core.liveDialogs === 0);
    expect(callee.names).toEqual(["INVITE", "ACK", "BYE"]);
    expect(ended).toEqual(["bye"]);
  });

  it("is hung up on by the UDP agent, by its connection", async () => {
    const { callee, page } = await start(false);
    const call = await callFrom(page, "sip:udp@b.example");
    await until(isUp(call));
    await until(() => callee.names.includes("ACK"));
    callee.hangUp(callee.find("INVITE") as SipRequest);
    await until(isOver(call), "the page heard no BYE");
    await until(() => callee.names.includes("200"));
    expect(ended).toEqual(["bye"]);
  });

  it("is called by the UDP agent, along the flow that it opened", async () => {
    let hop: Hop | undefined;
    const taken: Session[] = [];
    const policy: Partial<ProxyPolicy> = {
      ...recording,
      invite: async (context) => {
        const { flow } = context.source as { flow?: string };
        if (flow !== undefined) hop = { host: "", port: undefined, flow };
        return flow === undefined && hop !== undefined ? { forward: true, nextHop: hop } : { forward: true };
      },
    };
    const onInvite = (call: Session) => {
      taken.push(call);
      void (call as unknown as { accept(): Promise<void> }).accept();
    };
    const { at, callee: agent, page } = await start(false, policy, onInvite);
    const first = await callFrom(page, "sip:udp@b.example");
    await until(isUp(first));
    await first.bye();
    await until(isOver(first));
    const invite = agent.invite(`sip:${page.contact.uri.user}@b.example`, SDP);
    // The table does not know the page: only the policy's hop leads to it.
    users.set(page.contact.uri.user ?? "", { host: "127.0.0.1", port: 9 });
    await until(() => taken.length === 1, "the page was not called");
    await until(() => (agent.find("200")?.body.length ?? 0) > 0, "no answer came");
    agent.inCall("ACK", invite, agent.find("200") ?? failed("no 200"));
    await until(isUp(taken[0] ?? failed("no call")), "the page got no ACK");
    agent.inCall("BYE", invite, agent.find("200") ?? failed("no 200"));
    await until(isOver(taken[0] ?? failed("no call")), "the page got no BYE");
    await until(() => at.core.liveDialogs === 0);
    expect(ended).toEqual(["bye", "bye"]);
  });

  it("is told about at the proxy when it goes", async () => {
    const { at, page } = await start(false);
    const call = await callFrom(page, "sip:udp@b.example");
    await until(isUp(call));
    expect(at.transport.connections).toBe(1);
    await page.transport.disconnect();
    await until(() => at.transport.connections === 0);
  });
});

describe("RFC 4475 by TCP", () => {
  const archive: Record<string, string> = JSON.parse(
    readFileSync(new URL("../fixtures/rfc4475.json", import.meta.url), "utf8"),
  );
  const exchange = (port: number, octets: Buffer): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ host: "127.0.0.1", port });
      const got: Buffer[] = [];
      socket.on("data", (data) => got.push(data));
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(Buffer.concat(got).toString("latin1")));
      socket.end(octets);
    });
  const options =
    "OPTIONS sip:127.0.0.1:PORT SIP/2.0\r\nVia: SIP/2.0/TCP h.invalid;branch=z9hG4bKx\r\nMax-Forwards: 1\r\n";
  const rest = "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

  it("breaks nothing, whatever is answered", async () => {
    const at = await proxy({ domains: ["example.com"] });
    const { port } = at.place;
    const answers = new Map<string, string>();
    for (const [name, text] of Object.entries(archive)) {
      answers.set(name, await exchange(port, Buffer.from(text, "base64")));
    }
    // Each answer is a whole response, or there is none; one that has no length is told so.
    for (const [name, text] of answers)
      expect([name, text]).toEqual([name, expect.stringMatching(/^(SIP\/2\.0 [1-6]|$)/)]);
    expect(answers.get("ncl")).toMatch(/^SIP\/2\.0 400 Bad Content-Length/);
    expect(answers.get("badvers")).toMatch(/^SIP\/2\.0 505/);
    expect(await exchange(port, Buffer.from(options.replace("PORT", String(port)) + rest))).toMatch(/^SIP\/2\.0 200/);
  });
});

describe("a large INVITE", () => {
  const LARGE = `${SDP}${"a=x:0123456789012345678901234567890123456789\r\n".repeat(60)}`;

  it("goes between two proxies by TCP, and by UDP to an agent that takes no connection", async () => {
    const users = new Map<string, { host: string; port: number }>();
    const second = await proxy({ domains: ["b.example"], users }, recording);
    const callee = await udpAgent(second);
    users.set("udp", { host: "127.0.0.1", port: callee.port });
    const near = await proxy(
      { routes: new Map([["b.example", { host: "127.0.0.1", port: second.place.port }]]) },
      recording,
    );
    const caller = await udpAgent(near);
    const invite = caller.invite("sip:udp@b.example", LARGE);
    await until(() => (caller.find("200")?.body.length ?? 0) > 0, "no answer came");
    const accepted = caller.find("200") ?? failed("no 200");
    caller.inCall("ACK", invite, accepted);
    await until(() => callee.names.includes("ACK"), "no ACK came");
    caller.inCall("BYE", invite, accepted);
    await until(() => callee.names.includes("BYE"), "no BYE came");
    await until(() => near.core.liveDialogs + second.core.liveDialogs === 0);
    expect(callee.names).toEqual(["INVITE", "ACK", "BYE"]);
    const arrived = callee.find("INVITE") as SipRequest;
    expect(arrived.body.toString()).toBe(LARGE);
    expect(arrived.vias.map((via) => via.transport)).toEqual(["UDP", "TCP", "UDP"]);
    // One connection carries the whole call; the agent refused one.
    expect([near.transport.counters.opened, second.transport.counters.accepted]).toEqual([1, 1]);
    expect(second.transport.counters.opened).toBe(1);
    expect(ended).toEqual(["bye", "bye"]);
  });
});

/** A clearinghouse on loopback with two policy servers, pol1 (a.example) and pol2 (b.example). */

import { request } from "node:http";
import { expect } from "vitest";
import type { ClearinghouseRules } from "../../src/clearinghouse/rules.js";
import { type ClearinghouseOptions, ClearinghouseServer } from "../../src/clearinghouse/server.js";
import { openClearinghouseStore } from "../../src/clearinghouse/sqlite-store.js";
import type { ClearinghouseStore } from "../../src/clearinghouse/store.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { decodeMessage, encodeMessage } from "../../src/osp/codec/message.js";
import type {
  AuthorisationRequest,
  AuthorisationResponse,
  EncodableComponent,
  UsageIndication,
} from "../../src/osp/codec/messages.js";
import type { TokenSigner } from "../../src/osp/token/signer.js";
import { TRAFFIC } from "../osp/codec/golden.js";
import { CALL_ID, NOW, SESSION, txid } from "../osp/support.js";
import { FakeClock } from "../support/fake-clock.js";

export const RULES: ClearinghouseRules = {
  peers: [
    { id: "pol1", deviceId: "pol1", addresses: ["127.0.0.0/8", "::1"], mayOriginate: true, mayTerminate: false },
    { id: "pol2", deviceId: "pol2", addresses: ["127.0.0.1"], mayOriginate: false, mayTerminate: true },
    { id: "pol3", deviceId: "pol3", addresses: ["127.0.0.1"], mayOriginate: true, mayTerminate: true },
    { id: "far", deviceId: "far", addresses: ["192.0.2.0/24"], mayOriginate: true, mayTerminate: true },
  ],
  destinations: [
    { domain: "b.example", signalAddress: "[198.51.100.7]:5060", peer: "pol2" },
    { domain: "open.example", signalAddress: "sip.open.example:5060" },
    { domain: "closed.example", signalAddress: "[198.51.100.9]:5060", peer: "pol1" },
    { e164prefix: "44", signalAddress: "[2001:db8::44]:5060" },
    { e164prefix: "4420", signalAddress: "[2001:db8::4420]:5060" },
  ],
};

export interface Running {
  readonly server: ClearinghouseServer;
  readonly store: ClearinghouseStore;
  readonly clock: FakeClock;
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

export async function start(signer: TokenSigner, options: Partial<ClearinghouseOptions> = {}): Promise<Running> {
  const store = options.store ?? openClearinghouseStore(":memory:");
  const clock = (options.clock as FakeClock | undefined) ?? new FakeClock(NOW);
  const listen = { address: "127.0.0.1", port: 0 };
  const server = new ClearinghouseServer({
    listen,
    rules: RULES,
    signer,
    log: SILENT_LOGGER,
    ...options,
    store,
    clock,
  });
  const { port } = await server.listen();
  const stop = async (): Promise<void> => {
    await server.close();
    store.close();
  };
  return { server, store, clock, port, url: `http://127.0.0.1:${port}/osp`, stop };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** One request on a connection of its own. */
export function http(
  port: number,
  body: Buffer | string,
  options: { path?: string; method?: string; headers?: Record<string, string> } = {},
): Promise<HttpAnswer> {
  const { path = "/osp", method = "POST", headers = {} } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.rawHeaders, body: Buffer.concat(chunks) }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

export const message = (...components: EncodableComponent[]): Buffer => encodeMessage({ messageId: "7", components });

export const ask = (change: Partial<AuthorisationRequest> = {}): AuthorisationRequest => ({
  kind: "AuthorisationRequest",
  componentId: "1",
  timestamp: NOW,
  callId: CALL_ID,
  source: { type: "sip", value: "alice@a.example" },
  destination: { type: "sip", value: "bob@b.example" },
  deviceId: "pol1",
  extensions: { session: SESSION },
  ...change,
});

export const report = (change: Partial<UsageIndication> = {}): UsageIndication => ({
  kind: "UsageIndication",
  componentId: "1",
  timestamp: NOW,
  role: "source",
  transactionId: txid("1"),
  callId: CALL_ID,
  source: { type: "sip", value: "alice@a.example" },
  destination: { type: "sip", value: "bob@b.example" },
  destinationAlternates: [{ type: "transport", value: "[198.51.100.7]:5060" }],
  deviceId: "pol1",
  detail: { seconds: 10, terminationCauses: [{ type: "sip", code: 200 }], releaseSource: "source", traffic: TRAFFIC },
  extensions: { session: SESSION },
  ...change,
});

/** Posts components and gives the statuses of the answer, in order. */
export async function statuses(port: number, ...components: EncodableComponent[]): Promise<(number | undefined)[]> {
  const answer = await http(port, message(...components));
  expect(answer.status).toBe(200);
  return decodeMessage(answer.body).components.map((component) =>
    "status" in component ? component.status?.code : undefined,
  );
}

/** Posts one request for authorisation. */
export async function authorise(
  port: number,
  change: Partial<AuthorisationRequest> = {},
): Promise<AuthorisationResponse> {
  const answer = await http(port, message(ask(change)));
  return decodeMessage(answer.body).components[0] as AuthorisationResponse;
}

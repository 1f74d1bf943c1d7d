import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { ProtocolError, SystemError } from "../../src/model/errors.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { millis } from "../../src/model/units.js";
import { OspClient, type OspClientOptions } from "../../src/osp/client.js";
import { decodeMessage, encodeMessage } from "../../src/osp/codec/message.js";
import type { EncodableComponent } from "../../src/osp/codec/messages.js";
import { FakeClock } from "../support/fake-clock.js";
import { CALL_ID, NOW, SESSION, txid } from "./support.js";

const ASK = {
  callId: CALL_ID,
  source: { type: "sip", value: "alice@a.example" },
  destination: { type: "sip", value: "bob@b.example" },
  extensions: { session: SESSION },
};

let server: Server | undefined;
let client: OspClient | undefined;
afterEach(async () => {
  client?.close();
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

interface Seen {
  readonly body: Buffer;
  readonly headers: readonly string[];
}

/** Serves each request with the next handler, the last one for ever, and keeps what came. */
async function serve(...handlers: ((body: Buffer, response: ServerResponse) => void)[]): Promise<Seen[]> {
  const seen: Seen[] = [];
  const listener: RequestListener = (request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      seen.push({ body, headers: request.rawHeaders });
      handlers[Math.min(seen.length, handlers.length) - 1]?.(body, response);
    });
  };
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  return seen;
}

function connect(options: Partial<OspClientOptions> = {}): OspClient {
  const { port } = (server as Server).address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/osp`;
  client = new OspClient({ url, clock: SYSTEM_CLOCK, log: SILENT_LOGGER, retryDelay: millis(1), ...options });
  return client;
}

const answer =
  (make: (componentId: string) => EncodableComponent) =>
  (body: Buffer, response: ServerResponse): void => {
    const { messageId, components } = decodeMessage(body);
    const octets = encodeMessage({ messageId, components: components.map((c) => make(c.componentId)) });
    response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": octets.length }).end(octets);
  };
const grant = answer((componentId) => ({
  kind: "AuthorisationResponse",
  componentId,
  status: { code: 200 },
  transactionId: txid("900001"),
  destinations: [],
}));
const drop = (_: Buffer, response: ServerResponse): void => void response.destroy();

describe("authorise", () => {
  it("posts a text/plain document of stated length and reads the answer", async () => {
    const seen = await serve(grant);
    const events: unknown[] = [];
    const response = await connect({
      deviceId: "pol1",
      onMessage: (...event) => events.push(event),
    }).authorise(ASK);
    expect(response).toMatchObject({ status: { code: 200 }, transactionId: "900001" });
    const { headers, body } = seen[0] as Seen;
    expect(headers.slice(0, 4)).toEqual(["content-type", "text/plain", "Content-Length", String(body.length)]);
    expect(decodeMessage(body).components).toMatchObject([{ kind: "AuthorisationRequest", deviceId: "pol1", ...ASK }]);
    const here = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
    expect(events).toEqual([
      ["sent", "AuthReq", SESSION, { from: here, to: here }],
      ["received", "AuthRsp", SESSION, { from: here, to: here }],
    ]);
  });

  it("gives a refusal back as data", async () => {
    await serve(
      answer((componentId) => ({
        kind: "AuthorisationResponse",
        componentId,
        status: { code: 404, description: "no route" },
        destinations: [],
      })),
    );
    const { status, destinations } = await connect().authorise(ASK);
    expect({ status, destinations }).toEqual({ status: { code: 404, description: "no route" }, destinations: [] });
  });

  it("sends the same octets again when the connection is lost, and after a 5xx", async () => {
    const unavailable = (_: Buffer, response: ServerResponse): void => void response.writeHead(503).end();
    const seen = await serve(drop, unavailable, grant);
    expect((await connect({ retries: 2 }).authorise(ASK)).transactionId).toBe("900001");
    expect(seen).toHaveLength(3);
    expect(seen[1]?.body.equals(seen[0]?.body as Buffer)).toBe(true);
    expect(seen[2]?.body.equals(seen[0]?.body as Buffer)).toBe(true);
  });

  it("gives up after its retries", async () => {
    const seen = await serve(drop);
    await expect(connect({ retries: 2 }).authorise(ASK)).rejects.toMatchObject({ code: "OSP_UNREACHABLE" });
    expect(seen).toHaveLength(3);
  });

  it("does not ask again after a 4xx", async () => {
    const seen = await serve((_, response) => void response.writeHead(404).end());
    await expect(connect({ retries: 3 }).authorise(ASK)).rejects.toMatchObject({ code: "OSP_HTTP_STATUS" });
    expect(seen).toHaveLength(1);
  });

  it("waits no longer than its timeout", async () => {
    const clock = new FakeClock(NOW);
    const arrived = new Promise<void>((resolve) => void serve(() => resolve()).then(ask));
    let outcome: Promise<unknown> | undefined;
    function ask(): void {
      outcome = connect({ clock, retries: 0, timeout: millis(3000) })
        .authorise(ASK)
        .catch((error: unknown) => error);
    }
    await arrived;
    clock.advance(3000);
    expect(await outcome).toMatchObject({ code: "OSP_TIMEOUT", family: "protocol" });
    expect(clock.pending).toBe(0);
  });

  it("reads no more than its limit, stated or not", async () => {
    const flood = (_: Buffer, response: ServerResponse): void => void response.end(Buffer.alloc(5000, 32));
    const chunked = (_: Buffer, response: ServerResponse): void => {
      response.write(Buffer.alloc(3000, 32));
      response.end(Buffer.alloc(3000, 32));
    };
    for (const handler of [flood, chunked]) {
      await serve(handler);
      const asked = connect({ maxResponseOctets: 4096 }).authorise(ASK);
      await expect(asked).rejects.toMatchObject({ code: "OSP_RESPONSE_SIZE" });
      server?.close();
    }
  });

  it("takes no answer that is none", async () => {
    const text = (content: string) => (_: Buffer, response: ServerResponse) => void response.end(content);
    const stranger = answer(() => ({
      kind: "AuthorisationResponse",
      componentId: "1",
      status: { code: 200 },
      destinations: [],
    }));
    const usage = answer((componentId) => ({ kind: "UsageConfirmation", componentId, status: { code: 200 } }));
    const noStatus = text('<Message messageId="1"><AuthorisationResponse componentId="1"/></Message>');
    await serve(text("hello"), stranger, usage, noStatus);
    const asking = connect();
    for (let round = 0; round < 4; round += 1) {
      await expect(asking.authorise(ASK)).rejects.toMatchObject({ code: "OSP_RESPONSE" });
    }
  });

  it("takes the toolkit's spelling", async () => {
    await serve(
      answer((componentId) => ({
        kind: "AuthorisationResponse",
        spelling: "z",
        componentId,
        status: { code: 200 },
        transactionId: txid("1"),
        destinations: [],
      })),
    );
    expect((await connect().authorise(ASK)).transactionId).toBe("1");
  });
});

describe("usage", () => {
  it("delivers a stored body as it is, and confirms each report", async () => {
    const seen = await serve(
      drop,
      answer((id) => ({ kind: "UsageConfirmation", componentId: id, status: { code: 200 } })),
    );
    const reporting = connect({ deviceId: "pol1" });
    const report = {
      ...ASK,
      role: "source",
      timestamp: NOW,
      transactionId: txid("900001"),
      detail: { seconds: 10 },
    } as const;
    const body = reporting.usageBody([report, { ...report, setupAttempt: 2 }]);
    const confirmations = await reporting.post(body, SESSION);
    expect(confirmations.map(({ status }) => status.code)).toEqual([200, 200]);
    expect(seen.map((request) => request.body.equals(body))).toEqual([true, true]);
  });

  it("fails with a typed error, so that the body is kept", async () => {
    await serve(drop);
    await expect(connect().post(Buffer.from("<Message/>"))).rejects.toBeInstanceOf(ProtocolError);
  });
});

it("wants an http or https URL", () => {
  for (const url of ["ftp://192.0.2.1/", "192.0.2.1:5045", ""]) {
    expect(() => new OspClient({ url, clock: SYSTEM_CLOCK, log: SILENT_LOGGER })).toThrow(SystemError);
  }
});

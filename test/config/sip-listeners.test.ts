import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  checkListeners,
  connectionKeys,
  type ListenerConfig,
  listenKeys,
  webSocketKeys,
} from "../../src/config/sip-listeners.js";
import { DEFAULT_CONNECTION_LIMITS } from "../../src/sip/transport/limits.js";

const context = { directory: "/etc/sluice", env: {} };
const schema = z.strictObject({
  ...listenKeys(),
  websocket: webSocketKeys(context),
  connections: connectionKeys(),
});
const LISTEN = ["10.1.0.6:5060", "[fd01::6]:5060"];
const WEBSOCKET = {
  listen: ["10.1.0.6:8443"],
  tls: { key: "key.pem", certificate: "/etc/ssl/cert.pem" },
  origins: ["https://Portal.A.example"],
};
const parsed = (input: object): ListenerConfig => schema.parse({ listen: LISTEN, ...input });

describe("where a proxy listens", () => {
  it("is UDP and TCP, and no WebSocket, if nothing else is said", () => {
    const config = parsed({});
    expect(config).toMatchObject({ tcp: true, listen: [{ port: 5060 }, { address: "fd01::6" }] });
    expect(config.websocket).toBeUndefined();
    const { most, ...rest } = config.connections;
    expect(DEFAULT_CONNECTION_LIMITS).toMatchObject({ connections: most, ...rest });
  });

  it("takes paths from the file's directory, and origins as browsers write them", () => {
    expect(parsed({ websocket: WEBSOCKET }).websocket).toEqual({
      listen: [{ address: "10.1.0.6", port: 8443 }],
      tls: { key: "/etc/sluice/key.pem", certificate: "/etc/ssl/cert.pem" },
      origins: ["https://portal.a.example"],
      path: "/sip",
      trustedProxies: [],
    });
    expect(parsed({ websocket: { ...WEBSOCKET, tls: "none", origins: ["*"] } }).websocket?.tls).toBe("none");
  });

  it.each([
    ["no TLS, unless it is said", { ...WEBSOCKET, tls: undefined }],
    ["a certificate without key", { ...WEBSOCKET, tls: { certificate: "x" } }],
    ["no origins", { ...WEBSOCKET, origins: [] }],
    ["an origin with a path", { ...WEBSOCKET, origins: ["https://a.example/"] }],
    ["an origin of another scheme", { ...WEBSOCKET, origins: ["file://a"] }],
    ["a path without slash", { ...WEBSOCKET, path: "sip" }],
    ["a path with a query", { ...WEBSOCKET, path: "/sip?x" }],
    ["unknown keys", { ...WEBSOCKET, port: 1 }],
  ])("refuses %s", (_name, websocket) => {
    expect(schema.safeParse({ listen: LISTEN, websocket }).success).toBe(false);
  });

  it("finds listeners in each other's way, and limits that contradict each other", () => {
    const clash = { websocket: { ...WEBSOCKET, listen: ["10.1.0.6:5060"] } };
    const paths = (input: object) => checkListeners(parsed(input)).map(({ path }) => path.join("."));
    expect(paths({ websocket: WEBSOCKET })).toEqual([]);
    expect(paths(clash)).toEqual(["sip.websocket.listen.0"]);
    expect(paths({ ...clash, tcp: false })).toEqual([]);
    expect(paths({ connections: { most: 5, perSource: 6 } })).toEqual(["sip.connections.perSource"]);
    expect(paths({ connections: { idle: "10 s" } })).toEqual(["sip.connections.idle"]);
  });
});

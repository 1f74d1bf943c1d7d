/** Schema of where a SIP proxy listens: UDP and TCP, WebSocket for browsers, and what connections may cost. */
import { z } from "zod";
import { millis } from "../model/units.js";
import { type CrossProblem, duplicates } from "./common.js";
import type { SocketAddress } from "./names.js";
import { type PathContext, pathValue } from "./paths.js";
import { count, ipAddress, socketAddress, time } from "./scalars.js";

/** Most listeners of one kind. */
const LISTENERS = 16;

/** `sip.listen` and `sip.tcp`. */
export const listenKeys = () => ({
  listen: z.array(socketAddress()).min(1).max(LISTENERS).describe("Where SIP is received, over UDP and TCP."),
  tcp: z
    .boolean()
    .default(true)
    .describe("TCP on the ports of `listen`; RFC 3261 §18.2.1 wants it, for what is too large for a datagram."),
});

const ORIGIN = /^https?:\/\/(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?$/;

const origin = () =>
  z
    .string()
    .toLowerCase()
    .refine((text) => text === "*" || ORIGIN.test(text), {
      error: "this is not the origin of a page",
      params: { remedy: 'write scheme, host and port as browsers do, such as "https://portal.a.example:8443"' },
    })
    .meta({ kind: "an origin, or *", example: "https://portal.a.example" });

const webSocketPath = () =>
  z
    .string()
    .regex(/^\/[A-Za-z0-9._~/-]{0,127}$/, "this is not a path of a URL")
    .meta({ kind: "a path of a URL", example: "/sip" });

const tlsKeys = (context: PathContext) =>
  z.strictObject({
    key: pathValue(context).describe("Private key, PEM."),
    certificate: pathValue(context).describe("Certificate and those between it and its root, PEM."),
  });

/** `sip.websocket`: none, and browsers cannot connect. */
export const webSocketKeys = (context: PathContext) =>
  z
    .strictObject({
      listen: z.array(socketAddress()).min(1).max(LISTENERS).describe("Where SIP over WebSocket is received."),
      tls: z
        .union([z.literal("none"), tlsKeys(context)])
        .describe("Key and certificate (TLS 1.2 and newer); `none` for tests, or behind something that ends TLS."),
      origins: z
        .array(origin())
        .min(1)
        .max(64)
        .describe("Pages whose scripts may connect; others get 403. `*` is every page."),
      trustedProxies: z
        .array(ipAddress())
        .max(64)
        .default([])
        .describe(
          "Addresses of HTTP proxies whose X-Forwarded-For is believed, as something that ends TLS; by it sources are told apart.",
        ),
      path: webSocketPath().default("/sip").describe("Path of the WebSocket's URL."),
    })
    .optional();

/** `sip.connections`: TCP and WebSocket together. */
export const connectionKeys = () => {
  const standard = {
    most: 4096,
    perSource: 64,
    perMinute: 120,
    messageTime: millis(10_000),
    idle: millis(300_000),
  };
  return z
    .strictObject({
      most: count(1, 100_000).default(standard.most).describe("Connections of all sources."),
      perSource: count(1, 100_000).default(standard.perSource).describe("Connections of one address (IPv6: one /64)."),
      perMinute: count(1, 100_000)
        .default(standard.perMinute)
        .describe("Connections that one address may open in a minute."),
      messageTime: time().default(standard.messageTime).describe("Longest time that a message may take to arrive."),
      idle: time().default(standard.idle).describe("A TCP connection without traffic is closed after this time."),
    })
    .default(standard);
};

export interface ListenerConfig {
  readonly listen: readonly SocketAddress[];
  readonly tcp: boolean;
  readonly websocket?: z.output<ReturnType<typeof webSocketKeys>>;
  readonly connections: z.output<ReturnType<typeof connectionKeys>>;
}

const text = ({ address, port }: SocketAddress): string => `${address} port ${port}`;

/** @param sip - the group that the pieces stand in; paths begin with `sip` */
export function checkListeners(sip: ListenerConfig): readonly CrossProblem[] {
  const { listen, tcp, websocket, connections } = sip;
  const problems: CrossProblem[] = [];
  if (websocket !== undefined) {
    const places = [...(tcp ? listen : []), ...websocket.listen];
    const before = places.length - websocket.listen.length;
    const path = (index: number) =>
      index < before ? ["sip", "listen", index] : ["sip", "websocket", "listen", index - before];
    problems.push(...duplicates(places, "TCP listener", text, path).filter(({ path: at }) => at[1] === "websocket"));
  }
  if (connections.perSource > connections.most) {
    const remedy = "lower perSource or raise most";
    const message = "one source may have more connections than all together";
    problems.push({ path: ["sip", "connections", "perSource"], message, remedy });
  }
  if (connections.idle < 2 * connections.messageTime) {
    const remedy = "RFC 5626 §4.4.1 has clients send something every 2 min: 5 min fits";
    problems.push({ path: ["sip", "connections", "idle"], message: "idle is shorter than two messageTime", remedy });
  }
  return problems;
}

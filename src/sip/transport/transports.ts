/** All of a proxy's listeners as one transport: UDP, TCP on the same ports, WebSocket. */
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import type { IpAddress } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import type { TlsMaterial } from "../../model/tls.js";
import type { MessageLimits } from "../message/limits.js";
import {
  type ConnectionCounters,
  type ConnectionLimits,
  DEFAULT_CONNECTION_LIMITS,
  newConnectionCounters,
} from "./limits.js";
import { SourceGate } from "./source-gate.js";
import { type ConnectionOptions, TcpTransport } from "./tcp.js";
import type {
  Destination,
  Flow,
  FlowId,
  LocalPoint,
  MessageHandler,
  SipTransport,
  SocketAddress,
} from "./transport.js";
import { UdpTransport } from "./udp.js";
import { WsTransport } from "./ws.js";
import type { WebSocketRules } from "./ws-server.js";

export interface WebSocketListener extends WebSocketRules {
  readonly addresses: readonly SocketAddress[];
  readonly tls?: TlsMaterial | undefined;
  /** HTTP proxies whose X-Forwarded-For is believed: their connections are counted by it. */
  readonly trustedProxies?: readonly IpAddress[];
}

export interface TransportsOptions {
  /** Exact addresses for UDP, and for TCP unless `tcp` is false (RFC 3261 §18.2.1 wants both). */
  readonly addresses: readonly SocketAddress[];
  readonly tcp?: boolean;
  readonly webSocket?: WebSocketListener | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<ConnectionLimits>;
  readonly messageLimits?: MessageLimits;
}

type Closable = SipTransport & { close(): Promise<void> };

export class Transports implements SipTransport {
  readonly locals: readonly LocalPoint[];
  readonly counters: ConnectionCounters;
  private readonly parts: readonly Closable[];
  private readonly gate: SourceGate;

  private constructor(parts: readonly Closable[], gate: SourceGate, counters: ConnectionCounters) {
    this.parts = parts;
    this.gate = gate;
    this.counters = counters;
    this.locals = parts.flatMap((part) => part.locals);
  }

  /** @throws SystemError SIP_ADDRESS_IN_USE, SIP_BIND, SIP_TLS with what to do about it. */
  static async open(options: TransportsOptions): Promise<Transports> {
    const { clock, logger, messageLimits, webSocket } = options;
    const limits = { ...DEFAULT_CONNECTION_LIMITS, ...options.limits };
    const counters = newConnectionCounters();
    const gate = new SourceGate(limits, clock, webSocket?.trustedProxies);
    const shared = { clock, logger, limits, counters, gate, messageLimits };
    const parts: Closable[] = [];
    try {
      parts.push(...(await openPorts(options, shared)));
      if (webSocket !== undefined) {
        const { addresses, path, origins, tls } = webSocket;
        const rules = { path, origins: origins.map((origin) => origin.toLowerCase()) };
        parts.push(await WsTransport.open({ ...shared, addresses, rules, tls }));
      }
    } catch (error) {
      await Promise.all(parts.map((part) => part.close()));
      throw error;
    }
    return new Transports(parts, gate, counters);
  }

  /** Connections that others opened and that are open, those without a message yet included. */
  get connections(): number {
    return this.gate.size;
  }

  onMessage(handler: MessageHandler): void {
    for (const part of this.parts) part.onMessage(handler);
  }

  onFlowClosed(listener: (flow: Flow) => void): void {
    for (const part of this.parts) part.onFlowClosed(listener);
  }

  flow(id: FlowId): Flow | undefined {
    for (const part of this.parts) {
      const flow = part.flow(id);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  async reach(local: LocalPoint, remote: Destination): Promise<boolean> {
    return (await this.partFor(remote)?.reach(local, remote)) ?? false;
  }

  send(octets: Buffer, local: LocalPoint, remote: Destination, failed: (cause: Error) => void): void {
    const part = this.partFor(remote);
    if (part !== undefined) part.send(octets, local, remote, failed);
    else queueMicrotask(() => failed(new SystemError("SIP_NO_TRANSPORT", `there is no ${remote.transport} here`)));
  }

  /** Of WebSockets: those by which nobody is registered are closed after a while. @param isUsed - asked now and then */
  keepOnly(isUsed: (flow: FlowId) => boolean): void {
    for (const part of this.parts) if (part instanceof WsTransport) part.keepOnly(isUsed);
  }

  /** Of the WebSocket, for connections to come. @throws SystemError SIP_TLS */
  replaceTls(tls: TlsMaterial): void {
    for (const part of this.parts) if (part instanceof WsTransport) part.replaceTls(tls);
  }

  async close(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.close()));
  }

  private partFor({ transport }: Destination): Closable | undefined {
    return this.parts.find((part) => part.locals.some((local) => local.transport === transport));
  }
}

/** How often other ports are tried, where 0 was asked for and TCP cannot have the one that UDP got. */
const TRIES = 8;

async function openPorts(
  options: TransportsOptions,
  shared: ConnectionOptions,
  tries = TRIES,
): Promise<readonly Closable[]> {
  const udp = await UdpTransport.open({ addresses: options.addresses, logger: options.logger });
  if (options.tcp === false) return [udp];
  try {
    return [udp, await TcpTransport.open({ ...shared, addresses: udp.locals })];
  } catch (error) {
    await udp.close();
    const isFree = options.addresses.some(({ port }) => port === 0);
    if (!isFree || tries === 1) throw error;
    return openPorts(options, shared, tries - 1);
  }
}

/** A PDP and PEPs on loopback, with everything that happens written down. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { vi } from "vitest";
import { COMMAND } from "../../../src/cops/codec/codes.js";
import { decodeMessage } from "../../../src/cops/codec/decode.js";
import { encodeMessage } from "../../../src/cops/codec/encode.js";
import { FrameReader } from "../../../src/cops/codec/frame-reader.js";
import type { CopsMessage, DecMessage } from "../../../src/cops/codec/message.js";
import { type CopsLimits, DEFAULT_COPS_LIMITS } from "../../../src/cops/endpoint/limits.js";
import type { PdpHandlers } from "../../../src/cops/endpoint/pdp-handlers.js";
import type { PdpPeer } from "../../../src/cops/endpoint/pdp-peer.js";
import { PdpServer } from "../../../src/cops/endpoint/pdp-server.js";
import { PepClient, type PepHandlers } from "../../../src/cops/endpoint/pep-client.js";
import { type Clock, SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { type Logger, SILENT_LOGGER } from "../../../src/model/log.js";
import { millis } from "../../../src/model/units.js";

export const CONFIGURATION = { rType: 8, mType: 0 };
export const ADMISSION = { rType: 1, mType: 1 };
export const handleOf = (text: string): Buffer => Buffer.from(text);
export const INSTALL = [{ context: CONFIGURATION, command: COMMAND.install, flags: 0, named: Buffer.from("data") }];

export const until = (condition: () => boolean): Promise<void> =>
  vi.waitFor(
    () => {
      if (!condition()) throw new Error("not yet");
    },
    { timeout: 5000, interval: 5 },
  );

/** Lets what is on its way over loopback arrive. */
export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

export interface TestPdp {
  readonly server: PdpServer;
  readonly port: number;
  readonly log: string[];
  readonly peers: PdpPeer[];
  readonly errors: string[];
}

const running = new Set<{ close(): Promise<void> }>();

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  for (const one of running) await one.close();
  running.clear();
}

export const CLIENT_TYPES = [2, 0x5349];

export async function pdp(
  handlers: Partial<PdpHandlers> = {},
  { limits = {}, clock = SYSTEM_CLOCK, port = 0 }: { limits?: Partial<CopsLimits>; clock?: Clock; port?: number } = {},
): Promise<TestPdp> {
  const log: string[] = [];
  const peers: PdpPeer[] = [];
  const errors: string[] = [];
  const named = (peer: PdpPeer) => `${peer.pepId}/${peer.clientType}#${peers.indexOf(peer)}`;
  const all: PdpHandlers = {
    open: (peer, open) => handlers.open?.(peer, open) ?? { accept: true, keepAlive: 0 },
    opened: (peer) => {
      peers.push(peer);
      log.push(`opened ${named(peer)}`);
      handlers.opened?.(peer);
    },
    request: async (peer, req) => {
      log.push(`request ${req.handle}`);
      return (await handlers.request?.(peer, req)) ?? { decisions: [] };
    },
    report: (peer, rpt) => {
      log.push(`report ${rpt.handle} ${rpt.reportType} ${rpt.solicited}`);
      handlers.report?.(peer, rpt);
    },
    deleted: (peer, drq) => {
      log.push(`deleted ${drq.handle} ${drq.reason.code}`);
      handlers.deleted?.(peer, drq);
    },
    synchronized: (peer, handle) => {
      log.push(`synchronized ${handle ?? "all"}`);
      handlers.synchronized?.(peer, handle);
    },
    closed: (peer, reason) => {
      log.push(`closed ${named(peer)}: ${reason}`);
      handlers.closed?.(peer, reason);
    },
  };
  const options = { address: "127.0.0.1", port, clock, log: errorLog(errors), clientTypes: CLIENT_TYPES };
  const server = new PdpServer({ ...options, limits: { ...DEFAULT_COPS_LIMITS, ...limits } }, all);
  const bound = await server.listen();
  running.add(server);
  return { server, port: bound, log, peers, errors };
}

const errorLog = (errors: string[]): Logger => ({
  ...SILENT_LOGGER,
  error: (event) => void errors.push(event),
  child: () => errorLog(errors),
});

export interface TestPep {
  readonly client: PepClient;
  readonly log: string[];
  readonly decisions: DecMessage[];
  readonly errors: string[];
}

export interface PepSettings {
  readonly pepId?: string;
  readonly clientType?: number;
  readonly clock?: Clock;
  readonly limits?: Partial<CopsLimits>;
  readonly handlers?: Partial<PepHandlers>;
  readonly requestTimeout?: number;
  readonly ports?: readonly number[];
  readonly random?: () => number;
}

export function pep(port: number, settings: PepSettings = {}): TestPep {
  const { pepId = "r1", clientType = 2, clock = SYSTEM_CLOCK, handlers = {}, requestTimeout = 2000 } = settings;
  const log: string[] = [];
  const decisions: DecMessage[] = [];
  const errors: string[] = [];
  const client = new PepClient(
    {
      servers: [port, ...(settings.ports ?? [])].map((one) => ({ address: "127.0.0.1", port: one })),
      pepId,
      clientType,
      clock,
      log: errorLog(errors),
      limits: { ...DEFAULT_COPS_LIMITS, ...settings.limits },
      requestTimeout: millis(requestTimeout),
      reconnect: { min: millis(20), max: millis(100) },
      random: settings.random ?? (() => 0.5),
    },
    {
      up: (accounting) => {
        log.push("up");
        handlers.up?.(accounting);
      },
      down: (reason) => {
        log.push(`down: ${reason}`);
        handlers.down?.(reason);
      },
      decision: (dec) => {
        decisions.push(dec);
        handlers.decision?.(dec);
      },
      synchronize: (handle) => {
        log.push(`synchronize ${handle ?? "all"}`);
        handlers.synchronize?.(handle);
      },
      abandoned: (handle) => {
        log.push(`abandoned ${handle}`);
        handlers.abandoned?.(handle);
      },
    },
  );
  running.add(client);
  client.start();
  return { client, log, decisions, errors };
}

/** A peer that says whatever it likes. */
export interface RawPeer {
  readonly socket: Socket;
  readonly received: CopsMessage[];
  readonly ended: () => boolean;
  send(message: CopsMessage): void;
}

export async function rawPeer(port: number): Promise<RawPeer> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return watch(socket);
}

export function watch(socket: Socket): RawPeer {
  const received: CopsMessage[] = [];
  let ended = false;
  const reader = new FrameReader(1 << 24);
  socket.on("data", (chunk: Buffer) => received.push(...reader.push(chunk).frames.map(decodeMessage)));
  socket.on("error", () => undefined);
  socket.on("close", () => {
    ended = true;
  });
  running.add({ close: () => Promise.resolve(void socket.destroy()) });
  return { socket, received, ended: () => ended, send: (message) => void socket.write(encodeMessage(message)) };
}

export const OPN: CopsMessage = { op: "OPN", clientType: 2, pepId: "r1", signaled: [], named: [] };

export const reqOf = (handle: string, context = CONFIGURATION, clientType = 2): CopsMessage => ({
  op: "REQ",
  clientType,
  handle: handleOf(handle),
  context,
  signaled: [],
  named: [],
  lpdp: [],
});

export const rptOf = (
  handle: string,
  reportType: "success" | "failure" | "accounting" = "success",
  solicited = true,
): CopsMessage => ({
  op: "RPT",
  clientType: 2,
  handle: handleOf(handle),
  solicited,
  reportType,
  signaled: [],
  named: [],
});

export const drqOf = (handle: string): CopsMessage => ({
  op: "DRQ",
  clientType: 2,
  handle: handleOf(handle),
  reason: { code: 4, subCode: 0 },
});

/** A sender, a router that asks a policy server, and a receiver: RSVP in memory, COPS over loopback, on the system's clock. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { FrameReader } from "../../../../src/cops/codec/frame-reader.js";
import { DEFAULT_COPS_LIMITS } from "../../../../src/cops/endpoint/limits.js";
import type { PdpHandlers } from "../../../../src/cops/endpoint/pdp-handlers.js";
import { PdpServer } from "../../../../src/cops/endpoint/pdp-server.js";
import { PepClient } from "../../../../src/cops/endpoint/pep-client.js";
import { CLIENT_TYPE_RSVP } from "../../../../src/cops/rsvp/codes.js";
import type { OnLoss } from "../../../../src/cops/rsvp/reservation-request.js";
import { SYSTEM_CLOCK } from "../../../../src/model/clock.js";
import type { IpAddress } from "../../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { type BitsPerSecond, bitsPerSecond, bytesPerSecond, millis, octets } from "../../../../src/model/units.js";
import { ReservationLink } from "../../../../src/pdp/rsvp/reservation-link.js";
import { type ReservationRule, ReservationRules } from "../../../../src/pdp/rsvp/reservation-rules.js";
import { withReservations } from "../../../../src/pdp/rsvp/with-reservations.js";
import { OutsourcedAdmission } from "../../../../src/pep/router/rsvp/outsourced-admission.js";
import { TrafficControl } from "../../../../src/pep/router/rsvp/traffic-control.js";
import { decodePacket } from "../../../../src/rsvp/codec/decode.js";
import type { SessionMessage } from "../../../../src/rsvp/codec/message.js";
import type { Session } from "../../../../src/rsvp/codec/objects.js";
import { tokenBucket, UNLIMITED_PEAK } from "../../../../src/rsvp/codec/token-bucket.js";
import { DEFAULT_RSVP_LIMITS } from "../../../../src/rsvp/endpoint/limits.js";
import { MemoryNetwork } from "../../../../src/rsvp/endpoint/memory-network.js";
import { NodeDriver, type OutsideAction } from "../../../../src/rsvp/endpoint/node-driver.js";
import type { Notice } from "../../../../src/rsvp/machine/events.js";
import { RsvpNode } from "../../../../src/rsvp/machine/node.js";
import { DEFAULT_RULES } from "../../../../src/rsvp/machine/rules.js";
import type { Route } from "../../../../src/rsvp/machine/state.js";
import { DEFAULT_RELIABILITY } from "../../../../src/rsvp/reliability/rules.js";
import { KeyTable } from "../../../../src/rsvp/security/key-table.js";

export const SENDER = "10.1.0.1";
export const RECEIVER = "10.3.0.1";
const LINKS = { s: SENDER, toS: "10.1.0.2", toR: "10.3.0.2", r: RECEIVER } as const;
const INDEX = { toS: 2, toR: 3 } as const;

export const SESSION: Session = {
  kind: "ip",
  destination: RECEIVER,
  protocol: 17,
  port: 5004,
  ePolice: false,
};
const TEMPLATE = { address: SENDER, port: 5004 };

export const flowspec = (rate: number) =>
  ({
    kind: "controlledLoad",
    tspec: tokenBucket({
      rate: bytesPerSecond(rate / 8),
      bucket: octets(8000),
      peak: UNLIMITED_PEAK,
      minPoliced: octets(200),
      maxPacket: octets(200),
    }),
  }) as const;

interface Node {
  readonly driver: NodeDriver;
  readonly notices: Notice[];
  tell(event: Parameters<NodeDriver["tell"]>[0]): void;
}

export interface TestServer {
  readonly link: ReservationLink;
  /** Names of what came and went: `REQ 7`, `DEC 7 install`. */
  readonly log: string[];
  close(): Promise<void>;
}

export interface OutsourcedSettings {
  readonly port: number;
  readonly onLoss?: OnLoss;
  readonly hold?: number;
  readonly patience?: number;
  readonly requestTimeout?: number;
  readonly room?: number;
}

export const ALLOWED: ReservationRule = {
  name: "voice",
  from: "10.1.0.0/24",
  to: "10.3.0.0/24",
  rate: bitsPerSecond(500_000),
};

/** Whoever else speaks COPS with it is let in and told nothing. */
const OTHERS: PdpHandlers = {
  open: () => ({ accept: true, keepAlive: 0 }),
  opened: () => undefined,
  request: () => Promise.resolve({ decisions: [] }),
  report: () => undefined,
  deleted: () => undefined,
  synchronized: () => undefined,
  closed: () => undefined,
};

/** A policy server; with a port it comes back where it was. */
export async function policyServer(
  rules: readonly ReservationRule[] = [ALLOWED],
  { port = 0, maxReservations = 100, over = (handlers: PdpHandlers) => handlers } = {},
): Promise<TestServer & { readonly port: number }> {
  const log: string[] = [];
  const link = new ReservationLink({
    routers: new Set(["t"]),
    rules: new ReservationRules(rules),
    maxReservations,
    keepAlive: 0,
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
  });
  const handlers = over(withReservations(OTHERS, link));
  const server = new PdpServer(
    {
      address: "127.0.0.1",
      port,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      limits: DEFAULT_COPS_LIMITS,
      clientTypes: [CLIENT_TYPE_RSVP],
    },
    {
      ...handlers,
      request: async (peer, req) => {
        const number = req.handle.readUInt32BE();
        log.push(`REQ ${number}${req.lpdp.length > 0 ? " held" : ""}`);
        const body = await handlers.request(peer, req);
        const commands = body.decisions.map(({ command }) => (command === 1 ? "install" : "remove"));
        log.push(`DEC ${number} ${body.error === undefined ? commands.join() : `error ${body.error.code}`}`);
        return body;
      },
      report: (peer, rpt) => {
        log.push(`RPT ${rpt.handle.readUInt32BE()} ${rpt.reportType}`);
        handlers.report(peer, rpt);
      },
      deleted: (peer, drq) => {
        log.push(`DRQ ${drq.handle.readUInt32BE()} ${drq.reason.code}`);
        handlers.deleted(peer, drq);
      },
      synchronized: (peer, handle) => {
        log.push("SSC");
        handlers.synchronized(peer, handle);
      },
    },
  );
  const bound = await server.listen();
  const close = async (): Promise<void> => {
    link.close();
    await server.close();
  };
  return { link, log, port: bound, close };
}

/** Between router and policy server: writes down what passes, and can be cut. */
export class Wire {
  /** Of both directions, in the order of their arrival here. */
  readonly messages: Buffer[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async to(target: number): Promise<Wire> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const wire = new Wire(server, (server.address() as AddressInfo).port);
    server.on("connection", (router) => wire.#join(router, connect(target, "127.0.0.1")));
    return wire;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(router: Socket, server: Socket): void {
    for (const [from, to] of [
      [router, server],
      [server, router],
    ] as const) {
      const reader = new FrameReader(65_536);
      this.#sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        this.messages.push(...reader.push(chunk).frames.map((frame) => Buffer.from(frame)));
        to.write(chunk);
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

export class OutsourcedNodes {
  readonly network: MemoryNetwork;
  readonly admission: OutsourcedAdmission;
  readonly client: PepClient;
  readonly control: TrafficControl;
  /** Classes of the kernel at T: what was made and removed. */
  readonly classes: string[] = [];
  /** ResvErr messages on the wire, by sender. */
  readonly errors: Extract<SessionMessage, { kind: "ResvErr" }>[] = [];
  readonly #settings: OutsourcedSettings;
  readonly #room: BitsPerSecond;
  #s: Node | undefined;
  #t: Node | undefined;
  #r: Node | undefined;

  constructor(settings: OutsourcedSettings) {
    const { port, onLoss = "keep", hold = 1000, patience = 5000, requestTimeout = 5000, room = 1e6 } = settings;
    this.#settings = settings;
    this.#room = bitsPerSecond(room);
    this.network = new MemoryNetwork(SYSTEM_CLOCK, (datagram) => {
      const { message } = decodePacket(datagram.octets);
      if (message.kind === "ResvErr") this.errors.push(message);
      return [0];
    });
    this.network.link(portOf("s", "s"), portOf("t", "toS"));
    this.network.link(portOf("t", "toR"), portOf("r", "r"));
    this.admission = new OutsourcedAdmission({
      onLoss,
      hold: millis(hold),
      patience: millis(patience),
      maxReservations: 100,
      maxUnderWay: 4,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
    });
    this.client = new PepClient(
      {
        servers: [{ address: "127.0.0.1", port }],
        pepId: "t",
        clientType: CLIENT_TYPE_RSVP,
        clock: SYSTEM_CLOCK,
        log: SILENT_LOGGER,
        limits: DEFAULT_COPS_LIMITS,
        requestTimeout: millis(requestTimeout),
        reconnect: { min: millis(20), max: millis(50) },
      },
      this.admission,
    );
    this.admission.start(this.client);
    this.control = new TrafficControl({
      rooms: new Map([["toR", this.#room]]),
      classes: {
        reserve: ({ name, rate }) => Promise.resolve(void this.classes.push(`${name} ${rate}`)),
        release: (name) => Promise.resolve(void this.classes.push(`${name} gone`)),
      },
      linkOverhead: octets(0),
      isOwn: () => false,
      log: SILENT_LOGGER,
      tell: (event) => this.admission.answered(event),
    });
  }

  get port(): number {
    return this.#settings.port;
  }

  /** What the receiver was told, newest last. */
  get notices(): readonly Notice[] {
    return this.#r?.notices ?? [];
  }

  async start({ connect = true } = {}): Promise<void> {
    this.#s = await this.#host("s", { kind: "interface", name: "s" });
    this.#r = await this.#host("r", { kind: "local" });
    this.#t = await this.#router();
    if (connect) this.client.start();
  }

  async close(): Promise<void> {
    this.admission.close();
    await this.client.close();
    for (const node of [this.#s, this.#t, this.#r]) await node?.driver.close();
  }

  /** The sender's Path. */
  open(session = SESSION, rate = 1e6): void {
    const { tspec } = flowspec(rate);
    this.#s?.tell({ type: "open", session, sender: { template: TEMPLATE, tspec } });
  }

  reserve(rate: number, style: "FF" | "SE" = "FF", session = SESSION): void {
    const wanted = flowspec(rate);
    const flows =
      style === "FF"
        ? ({ style, flows: [{ filter: TEMPLATE, flowspec: wanted }] } as const)
        : ({ style, filters: [TEMPLATE], flowspec: wanted } as const);
    this.#r?.tell({ type: "reserve", session, flows, confirm: RECEIVER });
  }

  release(session = SESSION): void {
    this.#r?.tell({ type: "release", session });
  }

  hears(what: Notice["what"]): boolean {
    return this.notices.some((notice) => notice.what === what);
  }

  forgetNotices(): void {
    this.#r?.notices.splice(0);
  }

  async #host(name: "s" | "r", route: Route): Promise<Node> {
    const notices: Notice[] = [];
    const driver: NodeDriver = await this.#driver(name, [name], (action) => {
      if (action.do === "resolve") driver.tell({ type: "routeChanged", destination: action.destination, route });
      if (action.do === "reserve") {
        driver.tell({ type: "admission", ref: action.ref, id: action.id, verdict: { admit: true } });
      }
      if (action.do === "notify") notices.push(action.notice);
    });
    driver.tell({
      type: "interface",
      interface: { name, addresses: [LINKS[name]], lih: 1, mtu: octets(1500) },
    });
    return { driver, notices, tell: (event) => driver.tell(event) };
  }

  async #router(): Promise<Node> {
    const node = new RsvpNode(DEFAULT_RULES);
    const driver: NodeDriver = await this.#driver(
      "t",
      ["toS", "toR"],
      (action) => {
        if (action.do === "resolve") {
          const route = { kind: "interface", name: action.destination === RECEIVER ? "toR" : "toS" } as const;
          driver.tell({ type: "routeChanged", destination: action.destination, route });
        } else if (action.do === "reserve") this.admission.reserve(action);
        else if (action.do === "release") this.admission.release(action.ref);
      },
      this.admission.over(node),
    );
    this.admission.attach({
      local: this.control,
      tell: (event) => driver.tell(event),
      view: ({ session }) => ({
        session: node.session(session),
        refreshPeriod: DEFAULT_RULES.refreshPeriod,
        interfaceIndex: (name) => (name === "toS" || name === "toR" ? INDEX[name] : undefined),
      }),
      free: (name) => (name === "toR" ? this.#room - this.control.reserved(name) : 0) as BitsPerSecond,
    });
    for (const name of ["toS", "toR"] as const) {
      const interfaceOf = { name, addresses: [LINKS[name]], lih: INDEX[name], mtu: octets(1500) };
      driver.tell({ type: "interface", interface: interfaceOf });
    }
    return { driver, notices: [], tell: (event) => driver.tell(event) };
  }

  async #driver(
    name: string,
    names: readonly string[],
    outside: (action: OutsideAction) => void,
    node: Parameters<typeof NodeDriver.open>[0]["node"] = new RsvpNode(DEFAULT_RULES),
  ): Promise<NodeDriver> {
    const own = names.map((each) => LINKS[each as keyof typeof LINKS] as IpAddress);
    const driver = await NodeDriver.open({
      node,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      random: () => 0.5,
      outside,
      endpoint: {
        keys: new KeyTable([]),
        reliability: DEFAULT_RELIABILITY,
        isOwn: (address) => own.includes(address),
        interfaceTo: (address) => (name === "t" && address.startsWith("10.3.") ? "toR" : names[0]),
        epoch: 1,
        tos: 0xc0,
        transport: (handlers) => Promise.resolve(this.network.open(name, { handlers, limits: DEFAULT_RSVP_LIMITS })),
      },
    });
    for (const each of names) await driver.endpoint?.transport?.attach(each);
    return driver;
  }
}

const portOf = (node: string, name: keyof typeof LINKS) => ({ node, interface: name, address: LINKS[name] });

/**
 * Follows interfaces and routes: looks when the network says that something has changed, and from time to time in case it was not
 * heard.
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock, Timer } from "../../../model/clock.js";
import { SluiceError } from "../../../model/errors.js";
import { type IpAddress, prefixContains } from "../../../model/ip.js";
import type { Logger } from "../../../model/log.js";
import { type Millis, millis } from "../../../model/units.js";
import type { NodeEvent } from "../../../rsvp/machine/events.js";
import type { Route } from "../../../rsvp/machine/state.js";
import type { LocalInterface, NetworkChange, NetworkFollower, NetworkView } from "./network-view.js";

/** Changes come in swarms, such as the routes of a link that goes: one look for all that come within this. */
const GATHER = 20;
/** From the end of a look to the next that changes call for. */
const LEAST_REST = 50;
/** A look that takes long must not be made all the time: so many times its duration is rest. */
const REST_FACTOR = 4;
/** Between looks while changes may be missed, or something could not be done. */
const UNSURE_INTERVAL = 2000;

/** What receives on interfaces: an RSVP transport. */
export interface Attachable {
  attach(name: string): Promise<void>;
  detach(name: string): Promise<void>;
}

export interface NetworkWatchOptions {
  readonly view: NetworkView;
  /** Interfaces that RSVP is spoken on. */
  readonly names: ReadonlySet<string>;
  /** Between looks although nothing is said to have changed. */
  readonly interval: Millis;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tell: (event: NodeEvent) => void;
}

export class NetworkWatch {
  readonly #options: NetworkWatchOptions;
  readonly #attached = new Map<string, LocalInterface>();
  readonly #routes = new Map<IpAddress, Route>();
  #own: ReadonlySet<IpAddress> = new Set();
  #transport: Attachable | undefined;
  #follower: NetworkFollower | undefined;
  #timer: Timer | undefined;
  #soon: Timer | undefined;
  /** What the look that is called for is about. */
  #called: "everything" | Set<IpAddress> = new Set();
  /** When the next look may begin that changes call for. */
  #notBefore = 0;
  /** Something of the last look has to be tried again. */
  #isUnsure = false;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: NetworkWatchOptions) {
    this.#options = options;
  }

  /** The first look; what cannot be attached to is tried again at the next one. */
  async start(transport: Attachable): Promise<void> {
    this.#transport = transport;
    // Before the look: what changes in between calls for another.
    this.#follower = this.#options.view.follow?.((change) => this.#onChange(change));
    await this.#enqueue(() => this.#look());
    this.#arm();
  }

  /** The answer comes as an event, as does each change of it until `forget`. */
  resolve(destination: IpAddress): void {
    this.#routes.set(destination, { kind: "pending" });
    void this.#enqueue(() => this.#lookAtRoutes([destination]));
  }

  forget(destination: IpAddress): void {
    this.#routes.delete(destination);
  }

  isOwn(address: IpAddress): boolean {
    return this.#own.has(address);
  }

  interfaceTo(address: IpAddress): string | undefined {
    const route = this.#routes.get(address);
    return route?.kind === "interface" ? route.name : undefined;
  }

  /** Interfaces that RSVP is spoken on now. */
  get attached(): ReadonlyMap<string, LocalInterface> {
    return this.#attached;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#soon?.cancel();
    await this.#follower?.close();
    await this.#turn;
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    const { clock, interval } = this.#options;
    const isSure = this.#follower?.isListening === true && !this.#isUnsure;
    this.#timer = clock.after(isSure ? interval : millis(Math.min(interval, UNSURE_INTERVAL)), () => {
      void this.#enqueue(() => this.#look()).then(() => this.#arm());
    });
  }

  #onChange(change: NetworkChange): void {
    if (this.#closed || this.#called === "everything") return;
    if (change.what === "everything") this.#called = "everything";
    else {
      for (const address of this.#routes.keys()) if (prefixContains(change.to, address)) this.#called.add(address);
      // A full table of routes moves all day long: most of it is nobody's way here.
      if (this.#called.size === 0) return;
    }
    const { clock } = this.#options;
    const wait = Math.max(GATHER, this.#notBefore - clock.now());
    this.#soon ??= clock.after(millis(wait), () => {
      void this.#enqueue(() => this.#lookAtCalled()).then(() => this.#arm());
    });
  }

  async #lookAtCalled(): Promise<void> {
    const called = this.#called;
    this.#called = new Set();
    this.#soon = undefined;
    const { clock } = this.#options;
    const began = clock.now();
    try {
      if (called === "everything") await this.#look();
      else await this.#lookAtRoutes([...called].filter((address) => this.#routes.has(address)));
    } finally {
      const now = clock.now();
      this.#notBefore = now + Math.max(LEAST_REST, REST_FACTOR * (now - began));
    }
  }

  /** One look after the other, or an old answer could come after a newer one. */
  #enqueue(look: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      try {
        if (!this.#closed) await look();
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        this.#isUnsure = true;
        if (this.#timer !== undefined) this.#arm();
        this.#options.log.warn("rsvp.network-unknown", { error: error.message });
      }
    });
    return this.#turn;
  }

  async #look(): Promise<void> {
    this.#isUnsure = false;
    const found = await this.#options.view.interfaces();
    this.#own = new Set(found.flatMap(({ addresses }) => addresses));
    const present = new Map(found.map((item) => [item.name, item]));
    for (const [name, before] of [...this.#attached]) {
      const now = present.get(name);
      // Another index: the device was made anew, and its sockets are those of one that is gone.
      if (now === undefined || now.index !== before.index || now.addresses.length === 0) await this.#detach(name);
    }
    for (const name of this.#options.names) {
      const now = present.get(name);
      if (now !== undefined && now.addresses.length > 0) await this.#attach(now);
    }
    await this.#lookAtRoutes([...this.#routes.keys()]);
  }

  async #attach(found: LocalInterface): Promise<void> {
    const { name, index: lih, mtu, addresses } = found;
    const before = this.#attached.get(name);
    if (
      before !== undefined &&
      isDeepStrictEqual({ ...before, speed: found.speed }, { ...found, speed: found.speed })
    ) {
      return;
    }
    // New addresses may need sockets of their own.
    await this.#transport?.attach(name);
    this.#attached.set(name, found);
    this.#options.tell({ type: "interface", interface: { name, addresses, lih, mtu } });
    if (before === undefined) this.#options.log.info("rsvp.interface-up", { interface: name });
  }

  async #detach(name: string): Promise<void> {
    this.#attached.delete(name);
    this.#options.tell({ type: "interfaceLost", name });
    this.#options.log.warn("rsvp.interface-lost", { interface: name });
    await this.#transport?.detach(name);
  }

  async #lookAtRoutes(destinations: readonly IpAddress[]): Promise<void> {
    if (destinations.length === 0) return;
    const found = await this.#options.view.routes(destinations);
    for (const destination of destinations) {
      const route = found.get(destination) ?? { kind: "none" };
      if (!this.#routes.has(destination) || isDeepStrictEqual(this.#routes.get(destination), route)) continue;
      this.#routes.set(destination, route);
      this.#options.tell({ type: "routeChanged", destination, route });
    }
  }
}

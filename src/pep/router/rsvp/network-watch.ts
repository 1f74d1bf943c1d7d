/**
 * Follows interfaces and routes by looking at them again and again: a way that changes without its interface going down is
 * noticed within one interval.
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock, Timer } from "../../../model/clock.js";
import { SluiceError } from "../../../model/errors.js";
import type { IpAddress } from "../../../model/ip.js";
import type { Logger } from "../../../model/log.js";
import type { Millis } from "../../../model/units.js";
import type { NodeEvent } from "../../../rsvp/machine/events.js";
import type { Route } from "../../../rsvp/machine/state.js";
import type { LocalInterface, NetworkView } from "./network-view.js";

/** What receives on interfaces: an RSVP transport. */
export interface Attachable {
  attach(name: string): Promise<void>;
  detach(name: string): Promise<void>;
}

export interface NetworkWatchOptions {
  readonly view: NetworkView;
  /** Interfaces that RSVP is spoken on. */
  readonly names: ReadonlySet<string>;
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
  #timer: Timer | undefined;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: NetworkWatchOptions) {
    this.#options = options;
  }

  /** The first look; what cannot be attached to is tried again at the next one. */
  async start(transport: Attachable): Promise<void> {
    this.#transport = transport;
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
    await this.#turn;
  }

  #arm(): void {
    if (this.#closed) return;
    const { clock, interval } = this.#options;
    this.#timer = clock.after(interval, () => {
      void this.#enqueue(() => this.#look()).then(() => this.#arm());
    });
  }

  /** One look after the other, or an old answer could come after a newer one. */
  #enqueue(look: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      try {
        if (!this.#closed) await look();
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        this.#options.log.warn("rsvp.network-unknown", { error: error.message });
      }
    });
    return this.#turn;
  }

  async #look(): Promise<void> {
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
    if (isDeepStrictEqual(before, found)) return;
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

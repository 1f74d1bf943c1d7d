/** Watches what others do to nf_tables, links and queueing, and tells it as events of the port. */
import type { Clock, Timer } from "../model/clock.js";
import { KernelError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import { millis } from "../model/units.js";
import { NetlinkAgent } from "./netlink/agent/agent.js";
import type { Generation } from "./netlink/nf-tables.js";
import { type RoutingEvent, RoutingEvents } from "./netlink/routing-events.js";
import { isOwnTool } from "./own-tools.js";
import type { KernelEvent } from "./port.js";
import { RulesetWatch } from "./ruleset-watch.js";

/** Events that come this close together and are the same are one. */
const GATHER = millis(20);
/** Different events that wait to be told; more are told as a loss. */
const MAX_GATHERED = 1024;
const JOIN_TIMEOUT = millis(15_000);

export interface WatchParts {
  /** Undefined where the back end has no table of nf_tables over netlink: then `ruleset` is not told. */
  readonly generation: (() => Promise<Generation>) | undefined;
  readonly devices: () => Promise<readonly { readonly index: number; readonly name: string }[]>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Made by `LinuxKernel.watch`; `start` first. */
export class Watch {
  readonly #parts: WatchParts;
  readonly #listener: (event: KernelEvent) => void;
  readonly #agent: NetlinkAgent;
  readonly #routing: RoutingEvents;
  readonly #ruleset: RulesetWatch | undefined;
  readonly #gathered = new Map<string, KernelEvent>();
  /** Names by index; undefined until they are known, what happens meanwhile waits. */
  #names: Map<number, string> | undefined;
  #early: RoutingEvent[] = [];
  #joins = 0;
  #onJoined: ((error?: unknown) => void) | undefined;
  #timer: Timer | undefined;
  /** Events may be missing until the groups are joined again. */
  #deaf = true;
  #closed = false;

  constructor(parts: WatchParts, listener: (event: KernelEvent) => void) {
    const { clock, log, generation } = parts;
    this.#parts = parts;
    this.#listener = listener;
    this.#ruleset =
      generation && new RulesetWatch({ generation, clock, log, changed: () => this.#gather({ kind: "ruleset" }) });
    this.#agent = new NetlinkAgent({ name: "events", clock, log });
    this.#routing = new RoutingEvents(this.#agent, {
      joined: () => this.#joined(),
      event: (event) => this.#routed(event),
      lost: (reason) => this.#lost(reason),
    });
  }

  /** Nothing that happens after it resolved is missed. @throws KernelError */
  async start(): Promise<void> {
    const { clock } = this.#parts;
    this.#agent.hold();
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = clock.after(JOIN_TIMEOUT, () => this.#onJoined?.(notJoined()));
        this.#onJoined = (error) => {
          timer.cancel();
          this.#onJoined = undefined;
          if (error === undefined) resolve();
          else reject(error);
        };
      });
      await this.#ruleset?.start();
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      this.#agent.release();
    }
  }

  /** Our own tools are about to change the ruleset. */
  async suspend(): Promise<void> {
    await this.#ruleset?.suspend();
  }

  /** They are done, with `commits` commits at most. */
  async resume(commits: number): Promise<void> {
    await this.#ruleset?.resume(commits);
  }

  /** Tells what is gathered; true if nothing else was changed until now. */
  async caughtUp(): Promise<boolean> {
    const looked = (await this.#ruleset?.lookNow()) ?? false;
    this.#tell();
    return looked && !this.#deaf && !this.#closed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#gathered.clear();
    this.#ruleset?.close();
    this.#routing.close();
    await this.#agent.close();
  }

  #joined(): void {
    const join = ++this.#joins;
    this.#names = undefined;
    this.#parts.devices().then(
      (devices) => {
        if (this.#closed || join !== this.#joins) return;
        this.#names = new Map(devices.map(({ index, name }) => [index, name]));
        const early = this.#early;
        this.#early = [];
        this.#deaf = false;
        for (const event of early) this.#routed(event);
        // Whatever happened before the groups were joined again was told to nobody.
        if (join > 1) this.#gather({ kind: "lost", reason: "events were missed until the groups were joined again" });
        this.#onJoined?.();
      },
      (error: unknown) => {
        if (this.#onJoined !== undefined) this.#onJoined(error);
        else this.#lost(`interfaces could not be read: ${error instanceof Error ? error.message : String(error)}`);
        // Another run of the agent joins and asks again.
        this.#agent.restart();
      },
    );
  }

  #routed(event: RoutingEvent): void {
    const names = this.#names;
    if (names === undefined) {
      if (this.#early.length < MAX_GATHERED) this.#early.push(event);
      else this.#gather({ kind: "lost", reason: "too many events at once" });
      return;
    }
    const own = isOwnTool(event.port);
    const before = names.get(event.index);
    if (event.kind === "queueing") {
      if (!own) this.#gather({ kind: "queueing", interface: before ?? `#${event.index}` });
      return;
    }
    if (event.gone) names.delete(event.index);
    else names.set(event.index, event.name);
    if (own) return;
    this.#gather({ kind: "interface", interface: event.name });
    // A rename touches both.
    if (before !== undefined && before !== event.name) this.#gather({ kind: "interface", interface: before });
  }

  #lost(reason: string): void {
    this.#early = [];
    this.#deaf = true;
    this.#gather({ kind: "lost", reason });
  }

  #gather(event: KernelEvent): void {
    if (this.#closed) return;
    const key =
      event.kind === "interface" || event.kind === "queueing" ? `${event.kind} ${event.interface}` : event.kind;
    if (this.#gathered.size >= MAX_GATHERED) {
      this.#gathered.clear();
      this.#gathered.set("lost", { kind: "lost", reason: "too many events at once" });
    } else {
      this.#gathered.set(key, event);
    }
    this.#timer ??= this.#parts.clock.after(GATHER, () => this.#tell());
  }

  #tell(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const events = [...this.#gathered.values()];
    this.#gathered.clear();
    for (const event of events) {
      try {
        this.#listener(event);
      } catch (error) {
        this.#parts.log.error("kernel.watch.listener", { event, error });
      }
    }
  }
}

function notJoined(): KernelError {
  const detail = { operation: "join the multicast groups of rtnetlink" };
  return new KernelError("KERNEL_TIMEOUT", "the netlink agent for events did not join its groups in time", detail);
}

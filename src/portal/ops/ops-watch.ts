/** Tells operators' pages how all roles are, as long as any is open: one round of questions for all of them. */
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { seconds, type Timestamp } from "../../model/units.js";
import type { OpsSnapshot } from "../api/shapes.js";
import { type EventStream, frameOf } from "../http/event-streams.js";
import { stateOf } from "./snapshot.js";
import type { WatchedHost } from "./watched.js";

export interface OpsWatchOptions {
  readonly hosts: readonly WatchedHost[];
  readonly clock: Clock;
  readonly log: Logger;
}

const ASK_EVERY = seconds(2);

export class OpsWatch {
  readonly #options: OpsWatchOptions;
  readonly #streams = new Set<EventStream>();
  #since = 0 as Timestamp;
  #isAsking = false;
  #timer: Timer | undefined;

  constructor(options: OpsWatchOptions) {
    this.#options = options;
  }

  listen(stream: EventStream): void {
    this.#streams.add(stream);
    if (this.#streams.size > 1) return;
    this.#since = this.#options.clock.now();
    this.#round();
  }

  unlisten(stream: EventStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#timer?.cancel();
  }

  close(): void {
    this.#timer?.cancel();
  }

  #round(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ASK_EVERY, () => this.#round());
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#tell()
      .catch((error: unknown) => this.#options.log.error("portal.ops.failed", { error }))
      .finally(() => {
        this.#isAsking = false;
      });
  }

  async #tell(): Promise<void> {
    const { hosts, clock } = this.#options;
    const states = await Promise.all(hosts.map((host) => stateOf(host, this.#since)));
    const snapshot: OpsSnapshot = { at: clock.now(), hosts: states };
    const frame = frameOf("ops", snapshot);
    for (const stream of this.#streams) stream.send(frame);
  }
}

/** What is reserved on each outgoing interface, counted along so that no message needs a look at all sessions. */
import type { BytesPerSecond } from "../../model/units.js";
import { bandwidthOf } from "./flowspec-algebra.js";
import type { ReservationRef } from "./keys.js";
import { refKey } from "./keys.js";
import { chooseTakings, type Holder, type Taking } from "./preemption.js";
import type { SessionState } from "./state.js";

interface Ledger {
  /** Absent while nobody said how much there is. */
  room?: number;
  used: number;
  readonly holders: Map<string, Holder>;
}

export class Room {
  readonly #ledgers = new Map<string, Ledger>();

  /** Octets per second at the IP layer that reservations take of an interface. */
  used(name: string): BytesPerSecond {
    return (this.#ledgers.get(name)?.used ?? 0) as BytesPerSecond;
  }

  /** @returns whether there is more room than before */
  resize(name: string, room: BytesPerSecond): boolean {
    const ledger = this.#ledger(name);
    const grown = ledger.room !== undefined && room > ledger.room;
    ledger.room = room;
    return grown;
  }

  /** What has to be taken back for the rest to fit. */
  takings(name: string): readonly Taking[] {
    const ledger = this.#ledgers.get(name);
    if (ledger?.room === undefined || ledger.used <= ledger.room) return [];
    return chooseTakings([...ledger.holders.values()], ledger.used - ledger.room);
  }

  /** Sessions with a reservation on the interface. */
  holders(name: string): readonly Holder[] {
    return [...(this.#ledgers.get(name)?.holders.values() ?? [])];
  }

  /**
   * Takes over what a step changed.
   * @returns interfaces on which more is reserved than before
   */
  update(before: SessionState | undefined, after: SessionState, priority: number, now: number): ReadonlySet<string> {
    const grown = new Set<string>();
    for (const [key, { interface: name, flow, admitted }] of after.effective) {
      if (before?.effective.get(key)?.admitted === admitted) continue;
      const ref: ReservationRef = { session: after.session, interface: name, flow };
      if (admitted === undefined) this.#remove(ref);
      else if (this.#put({ ref, flowspec: admitted, priority, since: now })) grown.add(name);
    }
    for (const [key, { interface: name, flow }] of before?.effective ?? []) {
      if (!after.effective.has(key)) this.#remove({ session: after.session, interface: name, flow });
    }
    return grown;
  }

  #put(holder: Holder): boolean {
    const ledger = this.#ledger(holder.ref.interface);
    const key = refKey(holder.ref);
    const before = ledger.holders.get(key);
    const change = bandwidthOf(holder.flowspec) - (before === undefined ? 0 : bandwidthOf(before.flowspec));
    ledger.holders.set(key, { ...holder, since: before?.since ?? holder.since });
    ledger.used += change;
    return change > 0;
  }

  #remove(ref: ReservationRef): void {
    const ledger = this.#ledgers.get(ref.interface);
    const key = refKey(ref);
    const before = ledger?.holders.get(key);
    if (ledger === undefined || before === undefined) return;
    ledger.holders.delete(key);
    // Sums of floats drift; an empty interface is the moment to forget that.
    ledger.used = ledger.holders.size === 0 ? 0 : ledger.used - bandwidthOf(before.flowspec);
  }

  #ledger(name: string): Ledger {
    const known = this.#ledgers.get(name);
    if (known !== undefined) return known;
    const ledger: Ledger = { used: 0, holders: new Map() };
    this.#ledgers.set(name, ledger);
    return ledger;
  }
}

/**
 * Reserves pools in the network through the edge router, which speaks RSVP. Requests go to it as rows (COPS-PR), what
 * the network grants comes back in its reports. What is known of a pool outlives the router's connection: only a report
 * takes something back.
 */
import type { Clock, Timer } from "../../model/clock.js";
import type { Refusal } from "../../model/decision.js";
import type { IpAddress } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import {
  type BitsPerSecond,
  bitsPerSecond,
  type Dscp,
  type Millis,
  millis,
  octets,
  type Timestamp,
} from "../../model/units.js";
import {
  type AggregateReport,
  type PacketShape,
  type PolicyAggregate,
  reservedFor,
  roomIn,
} from "../router/aggregate-rows.js";
import type { ReservationEvents, ReservationPort } from "./reservation-port.js";

/** A pool that the network reserves. */
export interface ReservedPool extends PacketShape {
  readonly name: string;
  /** Number of the pool, and of its rows. */
  readonly id: number;
  /** Of its other edge. */
  readonly remote: IpAddress;
  readonly dscp: Dscp;
  /**
   * `both`: granted is the smaller of the two, and both follow the larger want of both ends. `forward`: only what goes to the
   * other edge counts.
   */
  readonly direction: "both" | "forward";
  /** The most that this end reserves for the other's sake where that wants more; layer 2. Absent: what is wanted here. */
  readonly ceiling?: BitsPerSecond;
  /** How long after a request both directions may take before a part counts as the answer. */
  readonly patience: Millis;
  /** Number of the tunnel that carries the pool's sessions: reserved for is its outer flow. */
  readonly tunnel?: number;
}

export interface RsvpReservationsOptions {
  readonly pools: readonly ReservedPool[];
  /** For all other pools. */
  readonly others: ReservationPort;
  /** Tells the router; resolves when it has taken the request. */
  readonly reserve: (aggregate: PolicyAggregate) => Promise<{ readonly admitted: true } | Refusal>;
  readonly events: () => ReservationEvents;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Asked {
  readonly at: Timestamp;
  /** Layer 2, as it was asked for. */
  readonly rate: BitsPerSecond;
  readonly aggregate: PolicyAggregate;
  answered: boolean;
}

interface Reserved {
  readonly pool: ReservedPool;
  asked: Asked | undefined;
  /** What was told last, layer 2. */
  size: BitsPerSecond;
  /** What the router said last of each direction, layer 3. */
  outgoing: BitsPerSecond;
  incoming: BitsPerSecond;
  /** Until a part counts as the answer. */
  waiting: Timer | undefined;
  /** Why it is not what was asked for, as far as the network or the router said so; a sentence's end. */
  problem: string | undefined;
}

const NOTHING = bitsPerSecond(0);
/** Depth of an aggregate's token bucket: what its rate brings in this time, and no less than a packet. */
const BURST_SECONDS = 0.1;

export class RsvpReservations implements ReservationPort {
  readonly #options: RsvpReservationsOptions;
  readonly #byName: ReadonlyMap<string, Reserved>;
  readonly #byId: ReadonlyMap<number, Reserved>;

  constructor(options: RsvpReservationsOptions) {
    this.#options = options;
    const all = options.pools.map((pool) => nothingOf(pool));
    this.#byName = new Map(all.map((reserved) => [reserved.pool.name, reserved]));
    this.#byId = new Map(all.map((reserved) => [reserved.pool.id, reserved]));
  }

  request(pool: string, rate: BitsPerSecond): void {
    const reserved = this.#byName.get(pool);
    if (reserved === undefined) {
      this.#options.others.request(pool, rate);
      return;
    }
    const request = (reserved.asked?.aggregate.request ?? 0) + 1;
    const at = this.#options.clock.now();
    const asked = { at, rate, aggregate: aggregateOf(reserved.pool, rate, request), answered: false };
    reserved.asked = asked;
    reserved.problem = undefined;
    this.#stopWaiting(reserved);
    this.#ask(reserved, asked).catch((error: unknown) => {
      this.#options.log.error("pdp.reserve-failed", { pool, error });
    });
  }

  /** What the router says of an aggregate. */
  report({ pool, outgoing, incoming, state, request, reason }: AggregateReport): void {
    const reserved = this.#byId.get(pool);
    const asked = reserved?.asked;
    if (reserved === undefined || asked === undefined) return;
    if (outgoing !== undefined) reserved.outgoing = outgoing;
    if (incoming !== undefined) reserved.incoming = incoming;
    if (reason !== "") this.#options.log.warn("pdp.aggregate", { pool: reserved.pool.name, state, reason });
    // Of an earlier request it says what there is, but not what becomes of this one.
    if (asked.aggregate.request !== request) {
      this.#takeBack(reserved);
      return;
    }
    const isFinal = state === "refused" || state === "lost";
    if (isFinal) reserved.problem = reason === "" ? `it was ${state}` : reason;
    this.#judge(reserved, asked, isFinal);
  }

  /** For health: one sentence for each pool that the network does not reserve as it was asked to. */
  problems(): readonly string[] {
    return [...this.#byName.values()].flatMap((reserved) => problemOf(reserved) ?? []);
  }

  close(): void {
    for (const reserved of this.#byName.values()) this.#stopWaiting(reserved);
  }

  async #ask(reserved: Reserved, asked: Asked): Promise<void> {
    const done = await this.#options.reserve(asked.aggregate);
    // Of a router that did not report nobody knows: it is asked for its state.
    if (done.admitted || done.reason === "routerUnavailable" || reserved.asked !== asked || asked.answered) return;
    this.#options.log.error("pdp.reserve-refused", { pool: reserved.pool.name, error: done.text });
    reserved.problem = done.text;
    this.#refused(reserved, asked, reserved.size);
  }

  /** @param final - the network will not give more for now */
  #judge(reserved: Reserved, asked: Asked, final: boolean): void {
    const granted = grantedOf(reserved);
    const room = roomOf(reserved);
    const isWhole = granted >= asked.aggregate.rate;
    if (isWhole) this.#confirmed(reserved, asked);
    else if (final && !asked.answered) this.#refused(reserved, asked, room);
    else if (room <= reserved.size) this.#takeBack(reserved);
    else this.#await(reserved, asked);
  }

  #confirmed(reserved: Reserved, asked: Asked): void {
    this.#stopWaiting(reserved);
    reserved.problem = undefined;
    if (asked.answered && reserved.size === asked.rate) return;
    asked.answered = true;
    reserved.size = asked.rate;
    this.#options.events().confirmed(reserved.pool.name, asked.rate);
  }

  /** Also of a request that was answered already, where more has come than was left then. */
  #refused(reserved: Reserved, asked: Asked, kept: BitsPerSecond): void {
    this.#stopWaiting(reserved);
    asked.answered = true;
    reserved.size = kept;
    this.#options.events().refused(reserved.pool.name, asked.rate, kept);
  }

  #takeBack(reserved: Reserved): void {
    const left = roomOf(reserved);
    if (left >= reserved.size) return;
    reserved.size = left;
    reserved.problem ??= "a part was taken back";
    this.#options.events().takenBack(reserved.pool.name, left);
  }

  /** More is there than was told, and not all: the rest may be under way, as the other edge follows with its direction. */
  #await(reserved: Reserved, asked: Asked): void {
    const { clock } = this.#options;
    const { patience } = reserved.pool;
    // Sessions wait from the request on; nobody waits for what comes after the answer.
    const rest = asked.answered ? patience : millis(Math.max(0, asked.at + patience - clock.now()));
    reserved.waiting ??= clock.after(rest, () => {
      reserved.waiting = undefined;
      reserved.problem ??= "the way back is smaller";
      this.#refused(reserved, asked, roomOf(reserved));
    });
  }

  #stopWaiting(reserved: Reserved): void {
    reserved.waiting?.cancel();
    reserved.waiting = undefined;
  }
}

const nothingOf = (pool: ReservedPool): Reserved => ({
  pool,
  asked: undefined,
  size: NOTHING,
  outgoing: NOTHING,
  incoming: NOTHING,
  waiting: undefined,
  problem: undefined,
});

function aggregateOf(pool: ReservedPool, layer2: BitsPerSecond, request: number): PolicyAggregate {
  const { id, remote, dscp, packetSize, direction, ceiling = NOTHING, tunnel } = pool;
  const rate = reservedFor(layer2, pool);
  const burst = octets(Math.max(packetSize, Math.ceil((rate * BURST_SECONDS) / 8)));
  // A pool that was made larger by hand has left its ceiling behind.
  const most = reservedFor(bitsPerSecond(Math.max(ceiling, layer2)), pool);
  return {
    pool: id,
    remote,
    dscp,
    rate,
    burst,
    packetSize,
    request,
    ...(direction === "both" ? { ceiling: most } : {}),
    ...(tunnel === undefined ? {} : { tunnel }),
  };
}

function problemOf({ pool, asked, size, problem }: Reserved): string | undefined {
  if (problem === undefined || asked === undefined) return undefined;
  const { name, remote } = pool;
  return `pool ${name}: ${size} of ${asked.rate} bit/s are reserved towards ${remote}: ${problem}`;
}

/** Layer 3. */
const grantedOf = ({ pool, outgoing, incoming }: Reserved): BitsPerSecond =>
  pool.direction === "both" && incoming < outgoing ? incoming : outgoing;

/**
 * Layer 2. A rate becomes whole kbit/s of layer 3 on its way to the router: where what is granted is what the last size
 * became, it is that size, not the little more that there would be room for.
 */
function roomOf(reserved: Reserved): BitsPerSecond {
  const { pool, size } = reserved;
  const granted = grantedOf(reserved);
  return granted === reservedFor(size, pool) ? size : roomIn(granted, pool);
}

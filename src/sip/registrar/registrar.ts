/** Holds the bindings of all users: carries out what machine.ts says, keeps what must outlive a restart. Thin. */
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { seconds, type Timestamp } from "../../model/units.js";
import type { FlowId } from "../transport/transport.js";
import type { AddressOfRecord, Arrived, Binding } from "./binding.js";
import { DEFAULT_REGISTRAR_LIMITS, type RegistrarAnswer, type RegistrarLimits, stepRegistrar } from "./machine.js";
import type { RegisterWish } from "./register-request.js";

/** Where bindings outlive a restart. Those of connections do not: they end with these. */
export interface BindingStore {
  load(): readonly Binding[];
  /** Everybody who ever had a binding, the one that was seen last at the end. */
  users(): readonly AddressOfRecord[];
  /** All that the user has now. May be written a moment later. */
  save(aor: AddressOfRecord, bindings: readonly Binding[]): void;
}

export interface RegistrarOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<RegistrarLimits>;
  /** Users with a binding at a time; past it a new one is answered 503. */
  readonly users?: number;
  readonly store?: BindingStore;
}

/** Since the start. */
export interface RegistrarCounters {
  accepted: number;
  /** Answered 403, 423, 500 or 503. */
  refused: number;
  expired: number;
  flowsLost: number;
}

const SWEEP = seconds(10);
const USERS = 50_000;
/** Users are known, for each that may be registered at a time. */
const KNOWN_TIMES = 4;

export type RegisterOutcome = RegistrarAnswer | { readonly status: 503; readonly phrase: string };

export class Registrar {
  readonly counters: RegistrarCounters = { accepted: 0, refused: 0, expired: 0, flowsLost: 0 };
  private readonly options: RegistrarOptions;
  private readonly limits: RegistrarLimits;
  private readonly users = new Map<AddressOfRecord, readonly Binding[]>();
  /** Who ever had a binding: such a user is away (480), and not unknown (404). */
  private readonly known: Set<AddressOfRecord>;
  private readonly byFlow = new Map<FlowId, Set<AddressOfRecord>>();
  /** Closed, and waited for: their bindings are there and reach nobody. */
  private readonly closed = new Set<FlowId>();
  private sweeper: Timer | undefined;

  constructor(options: RegistrarOptions) {
    this.options = options;
    this.limits = { ...DEFAULT_REGISTRAR_LIMITS, ...options.limits };
    for (const binding of options.store?.load() ?? []) {
      this.users.set(binding.aor, [...(this.users.get(binding.aor) ?? []), binding]);
    }
    this.known = new Set(options.store?.users());
    this.sweepLater();
  }

  isKnown(aor: AddressOfRecord): boolean {
    return this.known.has(aor);
  }

  /** Users with a binding. */
  get size(): number {
    return this.users.size;
  }

  /** @param until - when the credentials end that prove it; no binding outlives them */
  register(wish: RegisterWish, arrived: Arrived, until?: Timestamp): RegisterOutcome {
    const before = this.users.get(wish.aor) ?? [];
    if (before.length === 0 && this.users.size >= (this.options.users ?? USERS)) {
      this.counters.refused += 1;
      return { status: 503, phrase: "Too Many Users" };
    }
    const event = { kind: "register", wish, arrived, until, now: this.options.clock.now() } as const;
    const { bindings, answer } = stepRegistrar(before, event, this.limits);
    this.keep(wish.aor, before, bindings);
    if (answer?.status === 200) this.counters.accepted += 1;
    else this.counters.refused += 1;
    return answer ?? { status: 500, phrase: "Server Internal Error" };
  }

  /** What has not run out; the most wanted first, of these the one that was heard of last. */
  bindings(aor: AddressOfRecord): readonly Binding[] {
    const now = this.options.clock.now();
    const live = (this.users.get(aor) ?? []).filter(({ expires }) => expires > now);
    return live.toSorted((one, other) => other.q - one.q || other.updated - one.updated);
  }

  /** The bindings of a user that requests can be sent to now, in that order. */
  reachable(aor: AddressOfRecord): readonly Binding[] {
    return this.bindings(aor).filter(({ arrived }) => arrived.flow === undefined || !this.closed.has(arrived.flow));
  }

  /** Everybody who is reached by that connection. */
  onFlow(flow: FlowId): readonly Binding[] {
    const users = [...(this.byFlow.get(flow) ?? [])];
    return users.flatMap((aor) => this.bindings(aor)).filter(({ arrived }) => arrived.flow === flow);
  }

  /** It has closed: nobody is reached by it any more. Its bindings stay until `dropFlow`. */
  closeFlow(flow: FlowId): readonly Binding[] {
    const lost = this.onFlow(flow);
    if (lost.length > 0) this.closed.add(flow);
    return lost;
  }

  /** Its agents have had their time to come back. */
  dropFlow(flow: FlowId): void {
    const event = { kind: "flowLost", flow, now: this.options.clock.now() } as const;
    for (const aor of this.byFlow.get(flow) ?? []) {
      const before = this.users.get(aor) ?? [];
      this.keep(aor, before, stepRegistrar(before, event, this.limits).bindings);
      this.counters.flowsLost += 1;
    }
    this.closed.delete(flow);
    this.byFlow.delete(flow);
  }

  all(): readonly Binding[] {
    return [...this.users.keys()].flatMap((aor) => this.bindings(aor));
  }

  close(): void {
    this.sweeper?.cancel();
  }

  private sweepLater(): void {
    this.sweeper = this.options.clock.after(SWEEP, () => {
      this.sweep(this.options.clock.now());
      this.sweepLater();
    });
  }

  private sweep(now: Timestamp): void {
    for (const [aor, before] of this.users) {
      if (before.every(({ expires }) => expires > now)) continue;
      const { bindings } = stepRegistrar(before, { kind: "sweep", now }, this.limits);
      this.counters.expired += before.length - bindings.length;
      this.keep(aor, before, bindings);
    }
  }

  private keep(aor: AddressOfRecord, before: readonly Binding[], bindings: readonly Binding[]): void {
    if (bindings.length === 0) this.users.delete(aor);
    else this.users.set(aor, bindings);
    for (const flow of flowsOf(before)) this.byFlow.get(flow)?.delete(aor);
    for (const flow of flowsOf(bindings)) {
      const users = this.byFlow.get(flow) ?? new Set();
      this.byFlow.set(flow, users.add(aor));
    }
    for (const flow of flowsOf(before)) if (this.byFlow.get(flow)?.size === 0) this.forgetFlow(flow);
    const durable = bindings.filter(isDurable);
    const isNew = bindings.length > 0 && this.learn(aor);
    if (isNew || durable.length > 0 || before.some(isDurable)) this.options.store?.save(aor, durable);
  }

  /** @returns whether the user was unknown */
  private learn(aor: AddressOfRecord): boolean {
    if (this.known.has(aor)) return false;
    this.known.add(aor);
    const [first] = this.known;
    if (this.known.size > KNOWN_TIMES * (this.options.users ?? USERS) && first !== undefined) this.known.delete(first);
    return true;
  }

  private forgetFlow(flow: FlowId): void {
    this.byFlow.delete(flow);
    this.closed.delete(flow);
  }
}

const isDurable = ({ arrived }: Binding): boolean => arrived.flow === undefined;

const flowsOf = (bindings: readonly Binding[]): readonly FlowId[] =>
  bindings.flatMap(({ arrived }) => arrived.flow ?? []);

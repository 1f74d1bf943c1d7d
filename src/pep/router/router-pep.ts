/**
 * The router's enforcement point: COPS-PR decisions (RFC 3084) become kernel state, and nothing is reported
 * installed before the kernel has it.
 *
 * ```
 *  start: read the kernel, mend the structure, touch no session
 *  up:    REQ with the full state; its decision is the complete policy: what the kernel holds beyond it is swept
 *  DEC:   prepare, put into force, journal final counters, commit, RPT
 *  down:  everything stays in force
 * ```
 */
import { REASON } from "../../cops/codec/codes.js";
import type { DecMessage } from "../../cops/codec/message.js";
import type { PepClient, PepHandlers } from "../../cops/endpoint/pep-client.js";
import { encodeClientSi, encodeReport } from "../../cops/pr/bindings.js";
import { CONFIGURATION_CONTEXT, decodeProvisioning, type Provisioning } from "../../cops/pr/decision.js";
import { GPERR, PrDecodeError } from "../../cops/pr/errors.js";
import { PriStore, reportOf } from "../../cops/pr/pri-store.js";
import { decisionName } from "../../cops/sip/ladder-name.js";
import type { DesiredState, FlowId, FlowRule, KernelChange, KernelPort, ObservedState } from "../../kernel/port.js";
import type { Clock } from "../../model/clock.js";
import { SluiceError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { SessionId } from "../../model/session.js";
import { seconds } from "../../model/units.js";
import { type FlowCounters, ZERO_FLOW_COUNTERS } from "../../model/usage.js";
import { capabilityBindings, INSTALLABLE, type RouterIdentity } from "./capabilities.js";
import { type PolicyReading, readChanges } from "./flow-view.js";
import type { UsageJournal } from "./usage-journal.js";
import { usageBindings } from "./usage-rows.js";

/** What the router's own configuration says, whatever the policy server wants. */
export type LocalState = Pick<DesiredState, "interfaces" | "signalling" | "signallingDscp">;

export interface RouterPepOptions {
  readonly identity: RouterIdentity;
  readonly local: LocalState;
  readonly kernel: KernelPort;
  readonly journal: UsageJournal;
  readonly clock: Clock;
  readonly log: Logger;
  /** Most instances that a policy server may install. */
  readonly maxInstances: number;
  /** Told of each decision about a session and of its report, for the trace. */
  readonly onExchange?: (session: SessionId, message: string, action: "sent" | "received") => void;
}

const SYNCHRONIZE_AGAIN = seconds(1);

/** Changed in place, flow by flow: a copy for each decision would cost as much as there are flows. */
interface InForce extends DesiredState {
  readonly flows: Map<FlowId, FlowRule>;
}

export class RouterPep implements PepHandlers {
  readonly #options: RouterPepOptions;
  #client: PepClient | undefined;
  #handle = Buffer.alloc(0);
  #handleNumber = 0;
  #store: PriStore;
  /** What we last told the kernel; the difference to it is what a decision changes. */
  #desired: InForce;
  #queue: Promise<void> = Promise.resolve();

  constructor(options: RouterPepOptions) {
    this.#options = options;
    this.#store = this.#newStore();
    this.#desired = { ...options.local, pools: new Map(), tunnels: new Map(), flows: new Map() };
  }

  get desired(): DesiredState {
    return this.#desired;
  }

  /** Makes the structure fit to the configuration and takes the sessions found in the kernel as they are. */
  async start(client: PepClient): Promise<void> {
    const { kernel, local } = this.#options;
    const observed = await kernel.read();
    const flows = new Map([...observed.flows].map(([id, { rule }]) => [id, rule]));
    this.#desired = { ...local, pools: observed.pools, tunnels: observed.tunnels, flows };
    await kernel.apply(this.#desired, kernel.plan(this.#desired, observed));
    this.#client = client;
    client.start();
  }

  /** Waits for what is being applied. */
  async close(): Promise<void> {
    await this.#client?.close();
    await this.#queue;
  }

  up(): void {
    this.#enqueue(() => this.#synchronize());
  }

  down(reason: string): void {
    this.#options.log.warn("router.policy-server-lost", { reason });
  }

  decision(dec: DecMessage): void {
    this.#enqueue(() => this.#decide(dec, "incremental"));
  }

  /** RFC 2748 §3.5: asked to say again what we hold. Our one request state is the whole of it. */
  synchronize(): void {
    this.#enqueue(async () => {
      // RFC 2748 §3.4: its successor replaces it; decisions on it are not carried out any more.
      this.#client?.deleteRequest(this.#handle, { code: REASON.management, subCode: 0 });
      await this.#synchronize();
      this.#client?.synchronizeComplete();
    });
  }

  /** A decision came that could not be read: with its handle went our only channel to the policy server. */
  abandoned(handle: Buffer): void {
    if (handle.equals(this.#handle)) this.#synchronizeLater("an unreadable decision");
  }

  async #synchronize(): Promise<void> {
    const { identity } = this.#options;
    this.#handle = Buffer.alloc(4);
    this.#handle.writeUInt32BE(++this.#handleNumber);
    this.#store = this.#newStore();
    const named = encodeClientSi(capabilityBindings(identity));
    try {
      const dec = await this.#client?.request({ handle: this.#handle, context: CONFIGURATION_CONTEXT, named });
      // An error is no policy: what is in force stays until there is one.
      if (dec?.error !== undefined) this.#synchronizeLater(`COPS error ${dec.error.code}`);
      else if (dec !== undefined) await this.#decide(dec, "complete");
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      this.#synchronizeLater(error.message);
    }
  }

  /** Only while the connection stands: a new one begins with a synchronisation of its own. */
  #synchronizeLater(why: string): void {
    const { clock, log } = this.#options;
    const handle = this.#handle;
    log.warn("router.no-policy", { why });
    clock.after(SYNCHRONIZE_AGAIN, () => {
      if (this.#client?.state === "open" && this.#handle === handle) this.synchronize();
    });
  }

  async #decide(dec: DecMessage, scope: "complete" | "incremental"): Promise<void> {
    if (!dec.handle.equals(this.#handle)) return;
    try {
      const decision = decodeProvisioning(dec);
      if (decision.kind === "requestState") return this.#fail(GPERR.maxRequestStatesOpen, "one request state only");
      await this.#provision(decision, scope, decisionName(dec));
    } catch (error) {
      if (error instanceof PrDecodeError) this.#fail(error.gperr.code, error.message, error.gperr.subCode);
      else if (error instanceof SluiceError) this.#fail(GPERR.unknownError, error.message);
      else throw error;
    }
  }

  async #provision(decision: Provisioning, scope: "complete" | "incremental", name: string): Promise<void> {
    const prepared = this.#store.prepare(decision);
    if (!prepared.ok) {
      this.#options.log.warn("router.decision-refused", { errors: prepared.errors.map(({ text }) => text) });
      this.#report("failure", encodeReport(reportOf(prepared.errors)));
      return;
    }
    const { transaction } = prepared;
    const reading = readChanges(transaction);
    if (typeof reading === "string") return this.#fail(GPERR.unknownError, reading);
    const trace = scope === "complete" ? undefined : this.#traced(reading);
    trace?.(name, "received");
    const finals = scope === "complete" ? await this.#enforceAll(reading) : await this.#enforceTouched(reading);
    this.#store.commit(transaction);
    // Whoever was away when a flow ended hears its count again; a count heard twice counts once.
    this.#account(scope === "complete" ? this.#unclaimed() : finals);
    this.#report("success", encodeReport(reportOf(transaction.warnings)));
    trace?.("RPT", "sent");
  }

  /** Tells of a message once for each session that it is about. */
  #traced({ touched }: PolicyReading) {
    const rules = [...touched].map(([id, rule]) => rule ?? this.#desired.flows.get(id));
    const sessions = new Set(rules.map((rule) => rule?.session));
    return (message: string, action: "sent" | "received"): void => {
      for (const session of sessions) {
        if (session !== undefined) this.#options.onExchange?.(session, message, action);
      }
    };
  }

  async #enforceAll({ touched, pools }: PolicyReading): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const { kernel, log, local } = this.#options;
    const next = { ...local, pools, tunnels: this.#desired.tunnels, flows: present(touched) };
    const changes = kernel.plan(next, await kernel.read());
    const removed = await this.#apply(next, changes);
    this.#desired = next;
    log.info("router.in-sync", { flows: next.flows.size, changes: changes.length, swept: removed.size });
    return removed;
  }

  /** Only what the transaction touched is looked at: the cost does not grow with the flows that are there. */
  async #enforceTouched({ touched, pools }: PolicyReading): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const { kernel, local } = this.#options;
    const { flows, tunnels } = this.#desired;
    const observed: ObservedState = {
      structure: true,
      interfaces: [],
      tunnels,
      pools: this.#desired.pools,
      classes: [],
      flows: new Map(
        [...touched.keys()].flatMap((id) => {
          const rule = flows.get(id);
          return rule === undefined ? [] : [[id, { rule, counters: ZERO_FLOW_COUNTERS }] as const];
        }),
      ),
    };
    const wanted = { ...local, pools, tunnels, flows: present(touched) };
    const removed = await this.#apply(wanted, kernel.plan(wanted, observed));
    for (const [id, rule] of touched) {
      if (rule === undefined) flows.delete(id);
      else flows.set(id, rule);
    }
    this.#desired = { ...this.#desired, pools };
    return removed;
  }

  /**
   * Counters are noted before flows are removed, too: killed between the kernel's commit and the journal, we would
   * have nothing else to report. What the kernel says in removing replaces it.
   */
  async #apply(next: DesiredState, changes: readonly KernelChange[]): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const { kernel, journal } = this.#options;
    const going = changes.flatMap((change) => (change.kind === "flow.remove" ? [change.rule] : []));
    if (going.length > 0) journal.record(await kernel.counters(going));
    const { removed } = await kernel.apply(next, changes);
    journal.record(removed);
    return removed;
  }

  /** Noted counters of flows that are no longer there: those of a flow that stayed are not final. */
  #unclaimed(): ReadonlyMap<FlowId, FlowCounters> {
    return new Map([...this.#options.journal.all()].filter(([id]) => !this.#desired.flows.has(id)));
  }

  #account(finals: ReadonlyMap<FlowId, FlowCounters>): void {
    if (finals.size === 0) return;
    for (const named of encodeClientSi(usageBindings(finals))) {
      this.#client?.report(this.#handle, { type: "accounting", named: [named] });
    }
  }

  #fail(code: number, text: string, subCode = 0): void {
    this.#options.log.error("router.decision-failed", { code, text });
    this.#report("failure", encodeReport({ gperr: { code, subCode }, errors: [] }));
  }

  /** RFC 3084 §3.3: exactly one for each decision. */
  #report(type: "success" | "failure", named: readonly Buffer[]): void {
    this.#client?.report(this.#handle, { type, solicited: true, named });
  }

  #newStore(): PriStore {
    return new PriStore({ classes: INSTALLABLE, maxInstances: this.#options.maxInstances });
  }

  /** Decisions are put into force and reported one after the other: RFC 3084 §3.3 wants reports in order. */
  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((error: unknown) => {
      this.#options.log.error("router.failed", { error });
    });
  }
}

const present = (touched: ReadonlyMap<FlowId, FlowRule | undefined>): Map<FlowId, FlowRule> =>
  new Map([...touched].flatMap(([id, rule]) => (rule === undefined ? [] : [[id, rule] as const])));

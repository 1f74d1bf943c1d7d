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
import { type Binding, encodeClientSi, encodeReport } from "../../cops/pr/bindings.js";
import { CONFIGURATION_CONTEXT, decodeProvisioning, type Provisioning } from "../../cops/pr/decision.js";
import { GPERR, PrDecodeError } from "../../cops/pr/errors.js";
import { PriStore, type PriTransaction, reportOf } from "../../cops/pr/pri-store.js";
import { decisionName } from "../../cops/sip/ladder-name.js";
import type { DesiredState, FlowId, KernelKeeper } from "../../kernel/port.js";
import type { Clock } from "../../model/clock.js";
import { SluiceError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { SessionId } from "../../model/session.js";
import { type Millis, seconds } from "../../model/units.js";
import type { FlowCounters } from "../../model/usage.js";
import { AggregateReports } from "./aggregate-reports.js";
import { type ProvisionedAggregate, readAggregates, touchesAggregates } from "./aggregate-view.js";
import type { Aggregates } from "./aggregates.js";
import { capabilityBindings, installable, type RouterAbilities, type RouterIdentity } from "./capabilities.js";
import { type PolicyReading, readChanges } from "./flow-view.js";
import { InterimReports } from "./interim-reports.js";
import { ProbeReports, type ProbeReportTimes } from "./probe-reports.js";
import { type ProvisionedProbe, readProbes, touchesProbes } from "./probe-view.js";
import type { Probes } from "./probes.js";
import type { UsageJournal } from "./usage-journal.js";
import { usageBindings } from "./usage-rows.js";

export interface RouterPepOptions {
  readonly identity: RouterIdentity;
  /** Notes counters in the same journal before it removes anything. */
  readonly kernel: KernelKeeper;
  readonly journal: UsageJournal;
  /** Absent: nothing is reserved in the network, and a policy server that wants it is refused. */
  readonly aggregates?: Aggregates | undefined;
  /** Whether the kernel's back end steers into tunnels; without, a policy server that wants it is refused. */
  readonly tunnels?: boolean;
  /** Absent: no path is measured, and a policy server that wants it is refused. */
  readonly probes?: { readonly source: Probes; readonly times: ProbeReportTimes } | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Most instances that a policy server may install. */
  readonly maxInstances: number;
  /** Told of each decision about a session and of its report, for the trace. */
  readonly onExchange?: (session: SessionId, message: string, action: "sent" | "received") => void;
}

const SYNCHRONIZE_AGAIN = seconds(1);

export class RouterPep implements PepHandlers {
  readonly #options: RouterPepOptions;
  readonly #aggregates: AggregateReports | undefined;
  readonly #probes: ProbeReports | undefined;
  readonly #interim: InterimReports;
  /** How often the policy server wants to hear what flows have carried so far. */
  #accountingInterval: Millis | undefined;
  /** The policy server has been told that its complete policy is in force. */
  #inForce = false;
  #client: PepClient | undefined;
  #handle = Buffer.alloc(0);
  #handleNumber = 0;
  #store: PriStore;
  #queue: Promise<void> = Promise.resolve();

  constructor(options: RouterPepOptions) {
    const { aggregates, probes, kernel, clock, log } = options;
    const send = (rows: readonly Binding[]): void => this.#tell(rows);
    this.#options = options;
    if (aggregates !== undefined) this.#aggregates = new AggregateReports(aggregates, send);
    if (probes !== undefined) {
      this.#probes = new ProbeReports({ probes: probes.source, times: probes.times, clock, send });
    }
    this.#interim = new InterimReports({ kernel, clock, log, send: (rows) => this.#accountInterim(rows) });
    this.#store = this.#newStore();
  }

  get desired(): DesiredState {
    return this.#options.kernel.desired;
  }

  /** Makes the structure fit to the configuration and takes the sessions found in the kernel as they are. */
  async start(client: PepClient): Promise<void> {
    await this.#options.kernel.start();
    this.#client = client;
    client.start();
  }

  /** Waits for what is being applied. */
  async close(): Promise<void> {
    this.#probes?.close();
    this.#interim.end();
    await this.#client?.close();
    await this.#queue;
  }

  up(accounting?: Millis): void {
    this.#accountingInterval = accounting;
    this.#enqueue(() => this.#synchronize());
  }

  down(reason: string): void {
    this.#inForce = false;
    this.#interim.end();
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
    this.#inForce = false;
    this.#interim.end();
    this.#handle = Buffer.alloc(4);
    this.#handle.writeUInt32BE(++this.#handleNumber);
    this.#store = this.#newStore();
    const named = encodeClientSi(capabilityBindings(identity, this.#abilities()));
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
    const wanted = this.#readAggregates(transaction, scope);
    if (typeof wanted === "string") return this.#fail(GPERR.unknownError, wanted);
    const probed = this.#readProbes(transaction, scope);
    if (typeof probed === "string") return this.#fail(GPERR.unknownError, probed);
    const trace = scope === "complete" ? undefined : this.#traced(reading);
    trace?.(name, "received");
    const finals = await this.#enforce(reading, scope);
    this.#store.commit(transaction);
    if (wanted !== undefined) this.#aggregates?.set(wanted);
    if (probed !== undefined) this.#probes?.set(probed);
    // Whoever was away when a flow ended hears its count again; a count heard twice counts once.
    this.#account(scope === "complete" ? this.#unclaimed() : finals);
    this.#report("success", encodeReport(reportOf(transaction.warnings)));
    trace?.("RPT", "sent");
    if (scope === "complete") {
      this.#inForce = true;
      this.#interim.begin(this.#accountingInterval);
    }
    if (wanted !== undefined) this.#aggregates?.tell();
  }

  /** All that are to be reserved, undefined if the transaction does not concern them, or why they cannot be. */
  #readAggregates(
    transaction: PriTransaction,
    scope: "complete" | "incremental",
  ): readonly ProvisionedAggregate[] | string | undefined {
    if (this.#aggregates === undefined) return undefined;
    return scope === "complete" || touchesAggregates(transaction) ? readAggregates(transaction.after) : undefined;
  }

  /** As for aggregates. */
  #readProbes(
    transaction: PriTransaction,
    scope: "complete" | "incremental",
  ): readonly ProvisionedProbe[] | string | undefined {
    if (this.#probes === undefined) return undefined;
    return scope === "complete" || touchesProbes(transaction) ? readProbes(transaction.after) : undefined;
  }

  /** Tells of a message once for each session that it is about. */
  #traced({ touched }: PolicyReading) {
    const rules = [...touched].map(([id, rule]) => rule ?? this.desired.flows.get(id));
    const sessions = new Set(rules.map((rule) => rule?.session));
    return (message: string, action: "sent" | "received"): void => {
      for (const session of sessions) {
        if (session !== undefined) this.#options.onExchange?.(session, message, action);
      }
    };
  }

  /** Only what the transaction touched is looked at, unless it is the complete policy. Gives the final counters. */
  async #enforce(
    { touched, pools, tunnels }: PolicyReading,
    scope: "complete" | "incremental",
  ): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const { kernel, log } = this.#options;
    if (scope === "incremental") return (await kernel.update({ flows: touched, pools, tunnels })).finals;
    const { finals, changes } = await kernel.replace({ flows: touched, pools, tunnels });
    log.info("router.in-sync", { flows: this.desired.flows.size, changes, swept: finals.size });
    return finals;
  }

  /** Noted counters of flows that are no longer there: those of a flow that stayed are not final. */
  #unclaimed(): ReadonlyMap<FlowId, FlowCounters> {
    return new Map([...this.#options.journal.all()].filter(([id]) => !this.desired.flows.has(id)));
  }

  #account(finals: ReadonlyMap<FlowId, FlowCounters>): void {
    this.#accounting(usageBindings(finals));
  }

  /** Before there is a policy in force it would be told of what nobody asked for; all is told when there is. */
  #tell(rows: readonly Binding[]): void {
    if (this.#inForce) this.#accounting(rows);
  }

  /** One message, also without rows: that one says that all of an interval has been told. */
  #accountInterim(rows: readonly Binding[]): void {
    this.#client?.report(this.#handle, { type: "accounting", named: encodeClientSi(rows) });
  }

  #accounting(rows: readonly Binding[]): void {
    for (const named of encodeClientSi(rows)) {
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
    return new PriStore({ classes: installable(this.#abilities()), maxInstances: this.#options.maxInstances });
  }

  #abilities(): RouterAbilities {
    return {
      aggregates: this.#aggregates !== undefined,
      tunnels: this.#options.tunnels === true,
      probes: this.#probes !== undefined,
    };
  }

  /** Decisions are put into force and reported one after the other: RFC 3084 §3.3 wants reports in order. */
  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((error: unknown) => {
      this.#options.log.error("router.failed", { error });
    });
  }
}

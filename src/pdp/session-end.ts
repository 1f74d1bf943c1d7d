/** How sessions end: by hang-up, for want of bandwidth, or because this server ends them. Nothing is left anywhere. */
import type { SessionId } from "../model/session.js";
import type { EnforcementChange } from "./enforcement.js";
import { withoutGuarantee } from "./negotiation/grants.js";
import { describeUsage, endOf } from "./session-draft.js";
import type { SessionJournal } from "./session-journal.js";
import type { SessionServiceOptions } from "./session-options.js";
import {
  advance,
  type EndCause,
  type InstalledFlow,
  type ServerEndCause,
  type SessionRecord,
  type ShedTreatment,
} from "./session-record.js";

type EndOptions = Pick<
  SessionServiceOptions,
  "classes" | "clock" | "enforcement" | "ledger" | "log" | "onShed" | "settle"
>;

interface Taking {
  readonly treatment: ShedTreatment;
  readonly cause?: ServerEndCause;
  /** What `explain` says. */
  readonly why: string;
}

/** Each operation has its session for itself (`SessionTable.serial`). */
export class SessionEnd {
  readonly #options: EndOptions;
  readonly #journal: SessionJournal;
  /** Releasing sessions whose removal no report will confirm: they are done when the router is in sync without them. */
  readonly #waiting = new Set<SessionId>();

  constructor(options: EndOptions, journal: SessionJournal) {
    this.#options = options;
    this.#journal = journal;
  }

  /** A session that an earlier run did not see the end of. */
  awaitSync(id: SessionId): void {
    this.#waiting.add(id);
  }

  async release(record: SessionRecord, cause: EndCause): Promise<void> {
    const { clock, enforcement } = this.#options;
    const releasing = this.#journal.advance(record, endOf(record, cause, clock.now()), "hang-up", cause);
    if (record.flows.length > 0) {
      const done = await enforcement.change(removalOf(record));
      if (!done.admitted) {
        // The router is not there: what it holds goes when it comes back in sync, and only then are we done.
        this.#waiting.add(record.id);
        this.#journal.advance(this.#journal.current(releasing), {}, "release waits", done.text);
        return;
      }
    }
    // Shed while the router was away: it still has to say what the flows carried.
    const isUncounted = record.past.some(({ final }) => final === undefined);
    if (isUncounted && !enforcement.connected) this.#waiting.add(record.id);
    else this.#finish(this.#journal.current(releasing), "released");
  }

  /** The network took back what the session holds of `pool`: it gives everything back. */
  async shed(record: SessionRecord, pool: string): Promise<void> {
    if (record.treatment !== "assured") return;
    const treatment = this.#treatmentOf(record, pool);
    const goesOn = treatment === "bye" ? "to be ended" : "best effort from here";
    await this.#take(record, { treatment, why: `pool ${pool} was taken back: ${goesOn}` });
    this.#options.log.warn("session.shed", { session: record.id, pool, treatment });
  }

  /** Its parties are hung up by the proxy, which is told so; its hang-up then closes the session. */
  async endByServer(record: SessionRecord, cause: ServerEndCause): Promise<void> {
    if (record.shed?.treatment === "bye") return;
    await this.#take(record, { treatment: "bye", cause, why: WHY[cause] });
    this.#options.log.info("session.ended", { session: record.id, cause });
  }

  /** A removal that is on its way is not meant: its own report, after its counters, ends that session. */
  inSync(holds: ReadonlySet<SessionId>): void {
    for (const id of [...this.#waiting].filter((waiting) => !holds.has(waiting))) {
      const record = this.#journal.table.get(id);
      if (record !== undefined) this.#finish(record, "router in sync");
    }
  }

  async #take(record: SessionRecord, { treatment, cause, why }: Taking): Promise<void> {
    const { clock, enforcement, ledger, onShed } = this.#options;
    const done = record.flows.length === 0 ? undefined : await enforcement.change(removalOf(record));
    const current = this.#journal.current(record);
    // A router that could not be told has the flows taken away with its next complete policy.
    const left = done?.admitted === false ? `; ${done.text}` : "";
    const past = [...current.past, ...current.flows];
    const shed = { treatment, at: clock.now(), ...(cause === undefined ? {} : { cause }) };
    const grants = treatment === "bestEffort" ? withoutGuarantee(current.grants) : {};
    const next = this.#journal.advance(
      current,
      { treatment: "bestEffort", flows: [], past, needs: [], shed, ...grants },
      cause === undefined ? "shed" : "ended",
      `${why}${left}`,
    );
    ledger.release(record.id);
    onShed?.(next, treatment);
  }

  /** The sternest of the classes whose flows have their queue in the pool; of all its flows if that is a link. */
  #treatmentOf(record: SessionRecord, pool: string): ShedTreatment {
    const classOf = ({ class: name = record.class }: Partial<InstalledFlow>) => this.#options.classes.get(name ?? "");
    const there = record.flows.filter((flow) => (flow.pool ?? classOf(flow)?.pool) === pool);
    const flows = there.length === 0 ? record.flows : there;
    // As long as nothing is installed, that of the session counts.
    const classes = flows.length === 0 ? [classOf({})] : flows.map(classOf);
    return classes.some((serviceClass) => serviceClass?.whenShed === "bye") ? "bye" : "bestEffort";
  }

  /** Closes a session whose flows are gone from the router, and hands its usage on, in one transaction. */
  #finish(record: SessionRecord, why: string): void {
    const { ledger, settle } = this.#options;
    const closed = advance(record, { state: "closed" }, this.#journal.step(why, describeUsage(record)));
    this.#journal.table.close(closed, () => settle(closed));
    ledger.release(record.id);
    this.#waiting.delete(record.id);
  }
}

const WHY: Readonly<Record<ServerEndCause, string>> = {
  idle: "no media any more: to be ended",
  expired: "not refreshed in time: to be ended",
  left: "a party left: to be ended",
};

const removalOf = ({ id, class: name = "", flows }: SessionRecord): EnforcementChange => ({
  session: id,
  class: name,
  remove: flows,
  install: [],
});

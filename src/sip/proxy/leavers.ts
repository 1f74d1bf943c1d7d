/** Ends the sessions of users who have left without a word: their connection closed, and they did not come back in time. */
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { type Millis, millis } from "../../model/units.js";
import type { Registrar } from "../registrar/registrar.js";
import type { FlowId } from "../transport/transport.js";
import type { Calls } from "./calls.js";
import { FlowWatch, isBack } from "./flow-watch.js";
import type { DialogAgent, DialogContext, ProxyPolicy, SessionControl, SessionEnding } from "./policy.js";
import { reasonOf } from "./reason.js";

export interface LeaversParts {
  readonly registrar: Registrar;
  readonly flowGrace: Millis;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: ProxyPolicy;
  readonly calls: Calls;
  readonly control: Pick<SessionControl, "hangUp">;
}

const REFUSAL = {
  status: 480,
  phrase: "Temporarily Unavailable",
  headers: [{ name: "Warning", value: '399 sluice "the connection of a party is lost"' }],
};
const LEFT: SessionEnding = { refusal: REFUSAL, headers: [reasonOf(REFUSAL)], kind: "left" };

/** All connections are gone when this program starts: agents need longer to notice than when one of theirs closes. */
const AFTER_START = 3;

export class Leavers {
  private readonly parts: LeaversParts;
  private readonly watch: FlowWatch;
  private readonly starting: Timer;

  constructor(parts: LeaversParts) {
    const { registrar, clock, logger, flowGrace: grace } = parts;
    this.parts = parts;
    this.watch = new FlowWatch({ registrar, clock, logger, grace, left: (agents) => this.end(agents) });
    this.starting = clock.after(millis(grace * AFTER_START), () => this.endForgotten());
  }

  registered(flow: FlowId): void {
    this.watch.registered(flow);
  }

  flowClosed(flow: FlowId): void {
    this.watch.closed(flow);
  }

  close(): void {
    this.starting.cancel();
    this.watch.close();
  }

  private end(agents: readonly DialogAgent[]): void {
    const gone = new Set(agents.map(nameOf));
    const calls = this.parts.calls.filter((context) => agentsOf(context).some((agent) => gone.has(nameOf(agent))));
    for (const { context } of calls) this.hangUp(context);
  }

  /** Sessions from before the start whose users did not come back. */
  private endForgotten(): void {
    const { policy, registrar } = this.parts;
    for (const context of policy.known?.() ?? []) {
      if (agentsOf(context).some((agent) => !isBack(registrar, agent))) this.hangUp(context);
    }
  }

  private hangUp(context: DialogContext): void {
    const done = this.parts.control.hangUp(context, LEFT);
    this.parts.logger.info("sip.session.left", { session: context.session, done });
  }
}

const nameOf = ({ aor, agent }: DialogAgent): string => `${aor} ${agent}`;

const agentsOf = ({ agents }: DialogContext): readonly DialogAgent[] =>
  [agents?.caller, agents?.callee].filter((agent) => agent !== undefined);

import type { Refusal } from "../../src/model/decision.js";
import { octets } from "../../src/model/units.js";
import { ZERO_COUNTER } from "../../src/model/usage.js";
import type { Enforcement, EnforcementChange } from "../../src/pdp/enforcement.js";
import type { SessionService } from "../../src/pdp/session-service.js";

/** A router that keeps what it was told, and can be taken away or made to refuse. */
export class MemoryRouter implements Enforcement {
  connected = true;
  failNext: Refusal | undefined;
  /** Runs between the decision and its report. */
  meanwhile: () => void = () => undefined;
  readonly installed = new Set<number>();
  readonly changes: EnforcementChange[] = [];
  service: SessionService | undefined;

  change(change: EnforcementChange): Promise<{ admitted: true } | Refusal> {
    const refusal = this.failNext ?? (this.connected ? undefined : GONE);
    this.failNext = undefined;
    if (refusal !== undefined) return Promise.resolve(refusal);
    this.changes.push(change);
    this.meanwhile();
    this.#report(change.remove.map(({ instance }) => instance));
    for (const { instance } of change.install) this.installed.add(instance);
    return Promise.resolve({ admitted: true });
  }

  /** The router comes back, and is told the complete state: it sweeps what is not in it. */
  resync(): void {
    this.connected = true;
    const wanted = new Set(
      (this.service?.live() ?? []).filter((r) => r.state === "reserved").flatMap((r) => r.flows.map((f) => f.instance)),
    );
    this.#report([...this.installed].filter((instance) => !wanted.has(instance)));
    const reserved = (this.service?.live() ?? []).filter((record) => record.state === "reserved");
    this.service?.inSync(new Set(reserved.map(({ id }) => id)));
  }

  #report(instances: readonly number[]): void {
    const counted = { packets: 500, octets: octets(100_000) };
    const finals = instances.map((instance) => [instance, { inProfile: counted, outOfProfile: ZERO_COUNTER }] as const);
    for (const instance of instances) this.installed.delete(instance);
    this.service?.flowsFinal(new Map(finals));
    // Told twice, as after a lost connection: must not count twice.
    this.service?.flowsFinal(new Map(finals));
  }
}

const GONE: Refusal = { admitted: false, reason: "routerUnavailable", text: "no router" };

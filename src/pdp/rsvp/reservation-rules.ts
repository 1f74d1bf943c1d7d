/** Who may reserve how much in the network: the rules of a policy server for RSVP, first match decides. Pure. */
import type { IpAddress } from "../../model/ip.js";
import type { BitsPerSecond, Dscp } from "../../model/units.js";
import { phbIdOf } from "../../rsvp/codec/keys.js";
import type { Session } from "../../rsvp/codec/objects.js";
import { PrefixTable } from "../pools/prefix-table.js";
import type { ReservationAsk, RsvpAsk } from "./reservation-reading.js";

export interface ReservationRule {
  readonly name: string;
  /** Prefix of senders; of aggregates the edge where they begin. Absent: any. */
  readonly from?: string | undefined;
  /** Prefix of destinations; of aggregates the edge where they end. Absent: any. */
  readonly to?: string | undefined;
  /** Of an aggregate; absent: any, and single flows as well. */
  readonly dscp?: Dscp | undefined;
  /** What reservations by this rule may take together at one router, layer 3. */
  readonly rate: BitsPerSecond;
}

/** RFC 2750 appendix A: values of RSVP's error 2. */
export const POLICY_VALUE = { reject: 3, exceed: 4, preempt: 5, style: 18 } as const;

export type RuleVerdict =
  | { readonly admit: true; readonly rule: string }
  | {
      readonly admit: false;
      /** Absent where no rule fits. */
      readonly rule?: string;
      /** Goes into the ERROR_SPEC, as a `POLICY_VALUE`. */
      readonly value: number;
      /** One sentence for an operator. */
      readonly text: string;
      readonly needed?: BitsPerSecond;
      readonly free?: BitsPerSecond;
    };

interface Compiled extends ReservationRule {
  readonly senders: PrefixTable<true> | undefined;
  readonly destinations: PrefixTable<true> | undefined;
}

export class ReservationRules {
  readonly #rules: readonly Compiled[];

  constructor(rules: readonly ReservationRule[]) {
    this.#rules = rules.map((rule) => ({ ...rule, senders: tableOf(rule.from), destinations: tableOf(rule.to) }));
  }

  /** @param used - what other reservations of a rule take at the router that asks */
  judge(ask: Exclude<RsvpAsk, { kind: "error" }>, used: (rule: string) => BitsPerSecond): RuleVerdict {
    const rule = this.#rules.find((each) => fits(each, ask));
    if (rule === undefined) {
      const value = ask.kind === "reservation" && ask.style === "WF" ? POLICY_VALUE.style : POLICY_VALUE.reject;
      return { admit: false, value, text: "no rule lets anybody reserve this" };
    }
    return ask.kind === "path" ? { admit: true, rule: rule.name } : measure(rule, ask, used(rule.name));
  }
}

function measure({ name, rate }: ReservationRule, ask: ReservationAsk, used: BitsPerSecond): RuleVerdict {
  const free = Math.max(0, rate - used) as BitsPerSecond;
  if (ask.rate <= free) return { admit: true, rule: name };
  const text = `rule ${name} has ${free / 1000} kbit/s left, ${ask.rate / 1000} kbit/s are asked for`;
  return { admit: false, rule: name, value: POLICY_VALUE.exceed, text, needed: ask.rate, free };
}

/** Who does not say for whom a reservation is can have it only where every sender may. */
function fits(
  { senders, destinations, dscp }: Compiled,
  { session, senders: asked }: { session: Session; senders: readonly IpAddress[] },
): boolean {
  if (dscp !== undefined && !isOf(session, dscp)) return false;
  if (destinations !== undefined && destinations.get(session.destination) === undefined) return false;
  if (senders === undefined) return true;
  return asked.length > 0 && asked.every((address) => senders.get(address) !== undefined);
}

function isOf(session: Session, dscp: Dscp): boolean {
  switch (session.kind) {
    case "aggregate":
      return session.dscp === dscp;
    case "genericAggregate":
      return session.phbId === phbIdOf(dscp);
    case "ip":
      return false;
  }
}

function tableOf(prefix: string | undefined): PrefixTable<true> | undefined {
  if (prefix === undefined) return undefined;
  const table = new PrefixTable<true>();
  table.set(prefix, true);
  return table;
}

/**
 * From the reports of both sides, or of the one that there is, to what is paid for. Pure. Where they differ the smaller counts:
 * nobody pays for what the other side does not confirm.
 */
import type { BitsPerSecond } from "../model/units.js";
import type { FlowCounters } from "../model/usage.js";
import type { SessionTraffic } from "../osp/codec/messages.js";
import { type Price, type PricedUsage, priceOf, type Tariff } from "../osp/tariff.js";

/** Whose reports a price was made from. */
export type SettlementBasis = "both" | "source" | "destination";

export interface Settlement {
  readonly basis: SettlementBasis;
  readonly usage: PricedUsage;
  /** The same octets by direction, in and out of profile together: to the callee, and to the caller. */
  readonly octetsForward: number;
  readonly octetsBackward: number;
  readonly price: Price;
}

/** Of a report what a price is made of. `rate` and `traffic` are undefined where the reporter does not say them. */
export interface SettledReport {
  readonly role: "source" | "destination";
  readonly seconds: number;
  readonly rate?: BitsPerSecond | undefined;
  readonly traffic: SessionTraffic | undefined;
}

/** @param reports - final ones; several of one side, for attempts that failed before, count together */
export function settle(tariff: Tariff, reports: readonly SettledReport[]): Settlement | undefined {
  const source = sideOf(reports.filter(({ role }) => role === "source"));
  const destination = sideOf(reports.filter(({ role }) => role === "destination"));
  if (source === undefined && destination === undefined) return undefined;
  const { usage, ...octets } = paidFor(source ?? destination ?? NOTHING, destination ?? source ?? NOTHING);
  const basis = source === undefined ? "destination" : destination === undefined ? "source" : "both";
  return { basis, usage, ...octets, price: priceOf(tariff, usage) };
}

/** `forward`: from the caller to the callee. */
interface Side {
  readonly seconds: number;
  readonly rate: number | undefined;
  /** Undefined where nothing was counted, as by other makes. */
  readonly forward: Octets | undefined;
  readonly backward: Octets | undefined;
}

interface Octets {
  readonly inProfile: number;
  readonly outOfProfile: number;
}

const NOTHING: Side = { seconds: 0, rate: undefined, forward: undefined, backward: undefined };

function sideOf(reports: readonly SettledReport[]): Side | undefined {
  const [first, ...others] = reports.map(asSide);
  if (first === undefined) return undefined;
  return others.reduce(
    (sum, other) => ({
      seconds: sum.seconds + other.seconds,
      rate: other.rate ?? sum.rate,
      forward: added(sum.forward, other.forward),
      backward: added(sum.backward, other.backward),
    }),
    first,
  );
}

function asSide({ role, seconds, rate, traffic }: SettledReport): Side {
  const up = traffic === undefined ? undefined : octetsOf(traffic.up);
  const down = traffic === undefined ? undefined : octetsOf(traffic.down);
  const [forward, backward] = role === "source" ? [up, down] : [down, up];
  return { seconds, rate, forward, backward };
}

const octetsOf = ({ inProfile, outOfProfile }: FlowCounters): Octets => ({
  inProfile: inProfile.octets,
  outOfProfile: outOfProfile.octets,
});

function added(one: Octets | undefined, other: Octets | undefined): Octets | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return { inProfile: one.inProfile + other.inProfile, outOfProfile: one.outOfProfile + other.outOfProfile };
}

function paidFor(one: Side, other: Side): Omit<Settlement, "basis" | "price"> {
  // A side that does not say something contradicts nothing.
  const least = (of: (side: Side) => number | undefined): number => {
    const said = [of(one), of(other)].filter((value) => value !== undefined);
    return said.length === 0 ? 0 : Math.min(...said);
  };
  const forward = { in: least((side) => side.forward?.inProfile), out: least((side) => side.forward?.outOfProfile) };
  const backward = { in: least((side) => side.backward?.inProfile), out: least((side) => side.backward?.outOfProfile) };
  return {
    usage: {
      milliseconds: Math.round(least(({ seconds }) => seconds) * 1000),
      rate: least(({ rate }) => rate),
      octetsInProfile: forward.in + backward.in,
      octetsOutOfProfile: forward.out + backward.out,
    },
    octetsForward: forward.in + forward.out,
    octetsBackward: backward.in + backward.out,
  };
}

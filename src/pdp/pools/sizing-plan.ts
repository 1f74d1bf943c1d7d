/** How large a pool's reservation should be. Pure. */
import { type BitsPerSecond, bitsPerSecond, type Millis, millis, seconds } from "../../model/units.js";
import type { DirectionRates } from "../ledger.js";

/** Rates of reservations, each direction, counted at layer 2. */
export interface SizingPlan {
  /** Least that stays reserved, and most that is asked for; equal if the pool is fixed. */
  readonly floor: BitsPerSecond;
  readonly ceiling: BitsPerSecond;
  /** Reservations are the floor and a whole number of steps. */
  readonly step: BitsPerSecond;
  /** Beyond what sessions use. */
  readonly headRoom: BitsPerSecond;
  /** Part of the reservation that sessions may not use. */
  readonly overhead: BitsPerSecond;
  /** How long less has to be enough before less is asked for. */
  readonly hold: Millis;
  /** Longest wait of a session for a larger reservation, and of a request for its answer. */
  readonly growTimeout: Millis;
  /** Without requests for more, after the network refused or took back. */
  readonly retry: Millis;
}

export interface SizingKeys
  extends Pick<SizingPlan, "floor" | "ceiling" | "step" | "headRoom" | "hold" | "growTimeout" | "retry"> {}

/** A pool's keys, as the configuration has them. */
export interface SizedPool {
  readonly rate: BitsPerSecond;
  readonly overhead: BitsPerSecond;
  readonly sizing: "fixed" | SizingKeys;
}

/** Of pools with one size: they follow their schedule, and ask again if the network refused them. */
const FIXED = { headRoom: bitsPerSecond(0), hold: seconds(0), growTimeout: millis(400), retry: seconds(10) };

/** @param scheduled - the rate that the schedule has for now, if it has one */
export function planOf({ rate, overhead, sizing }: SizedPool, scheduled?: BitsPerSecond): SizingPlan {
  if (sizing !== "fixed") return { ...sizing, overhead, floor: scheduled ?? sizing.floor };
  const now = scheduled ?? rate;
  return { ...FIXED, floor: now, ceiling: now, step: bitsPerSecond(1000), overhead };
}

export const larger = ({ up, down }: DirectionRates): number => Math.max(up, down);

/**
 * The reservation for what sessions hold and what others wait for, each in its larger direction. Never beyond the
 * ceiling for those who wait; but what is held stays covered when the schedule lowers the ceiling.
 */
export function targetOf(plan: SizingPlan, held: number, waiting: number): BitsPerSecond {
  const { floor, ceiling, step, headRoom, overhead } = plan;
  const busy = held + waiting;
  const wanted = busy === 0 ? floor : busy + overhead + headRoom;
  const stepped = floor + Math.max(0, Math.ceil((wanted - floor) / step)) * step;
  const covered = held === 0 ? 0 : held + overhead;
  return bitsPerSecond(Math.max(Math.min(stepped, ceiling), floor, covered));
}

/** Whether a session that needs this much more could be served if the network gave all that may be asked for. */
export const underCeiling = (plan: SizingPlan, held: DirectionRates, more: DirectionRates): boolean =>
  held.up + more.up + plan.overhead <= plan.ceiling && held.down + more.down + plan.overhead <= plan.ceiling;

/** What the rows of the lab's table are written in: what agents say, the room on each side, and what becomes of a call. */
import type { Lines } from "./descriptions.js";

/** A medium at one side: the values of its Sluice-Granted, and with that the rows of the router. */
export interface Grant {
  readonly index: number;
  readonly class?: string;
  readonly phb: "EF" | "CS4" | "BE";
  readonly result: "granted" | "reduced" | "bestEffort";
  /** kbit/s to the caller and to the callee. */
  readonly rates: readonly [number, number];
  readonly measured?: boolean;
  readonly told?: false;
}
type Result = Grant["result"];
export const voice = (result: Result, toCaller: number, toCallee = toCaller, index = 0): Grant => ({
  ...{ index, phb: "EF", result, rates: [toCaller, toCallee] },
});
export const plain = (index = 0): Grant => ({ ...voice("granted", 80, 80, index), told: false });
export const talk = (result: Result, toCaller: number, toCallee = toCaller, index = 0): Grant => ({
  ...voice(result, toCaller, toCallee, index),
  class: "talk",
});
export const game = (name: string, result: Result, kbits: number, index = 0): Grant => ({
  ...{ index, class: name, phb: "CS4", result, rates: [kbits, kbits], measured: true },
});
export const film: Grant = { index: 0, class: "film", phb: "BE", result: "bestEffort", rates: [0, 0] };

/** What becomes of a call: grants at the callee's side and at the caller's, as the 200 passes them; or its end. */
export type Outcome =
  | { readonly two: readonly Grant[]; readonly one: readonly Grant[] }
  | { readonly status: number; readonly why: RegExp; readonly after: "offer" | "answer"; readonly warnCode: 370 | 399 };
export const full = (pool: "voice" | "game"): RegExp =>
  new RegExp(`"pool ${pool} is full: [\\d.]+ kbit/s needed, [\\d.]+ kbit/s free"$`);
export const served = (two: readonly Grant[], one = two): Outcome => ({ two, one });
export const refused = (status: number, after: "offer" | "answer", why: RegExp): Outcome => ({
  ...{ status, why, after },
  warnCode: why.source.includes("is full") ? 370 : 399,
});

/** What is needed and what there is instead, as the Warning has it. */
export const beyond = (what: string, needed: string): RegExp =>
  new RegExp(
    `"${what} of at most ${needed} is needed; measured in pool game (from|into) this network: [\\d.]+ (ms|%)"$`,
  );
export const unpromised = (what: string, needed: string, instead: string): RegExp =>
  new RegExp(`"${what} of at most ${needed} is needed; nobody measures pool voice, and ${instead}"$`);
export const unreserved = (medium: number): RegExp =>
  new RegExp(`"medium ${medium} has to be reserved \\(a=des:qos mandatory\\), rule films serves it as best effort"$`);

export const TALK = "sluice-class:talk";
export const FPS = "sluice-class:fps";
export const RTS = "sluice-class:rts";
export const FILM = "sluice-class:film";
export const rate = (range: string, way = "sendrecv") => `sluice-need:${way} rate=${range}`;
export const need = (what: string) => `sluice-need:sendrecv ${what}`;
export const RANGE = [TALK, rate("80-32")];
export const GAME_RANGE = [FPS, rate("80-40")];
/** As of RFC 3312 §4: nothing is reserved yet, and this has to be, at these ends. */
export const mandatory = (...segments: readonly string[]): Lines => [
  ...["curr:qos local none", "curr:qos remote none"],
  ...segments.map((segment) => `des:qos mandatory ${segment} sendrecv`),
];
export const optional = mandatory("local", "remote").map((line) => line.replace("mandatory", "optional"));

export interface Room {
  readonly voice?: number;
  readonly game?: number;
}
export interface Row {
  readonly offer: readonly Lines[];
  /** Attributes of the media, or a status. Those of the offer if left out. */
  readonly answer?: readonly Lines[] | number;
  /** At the caller's side and at the callee's. */
  readonly rooms?: readonly [Room, Room];
  readonly late?: boolean;
  readonly family?: 4 | 6;
  /** Directions that a hold leaves in the routers: `>` is to the callee. What is closed stays reserved. */
  readonly gates?: "" | ">";
  readonly becomes: Outcome;
}
export const one = (room: Room): readonly [Room, Room] => [room, {}];
export const two = (room: Room): readonly [Room, Room] => [{}, room];

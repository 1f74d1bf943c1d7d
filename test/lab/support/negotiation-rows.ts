/** Offers, answers and the room on each side, with what becomes of a call: the rows of the lab's table. */
import type { Lines } from "./descriptions.js";

const TALK = "sluice-class:talk";
const FPS = "sluice-class:fps";
const RTS = "sluice-class:rts";
const rate = (range: string, way = "sendrecv") => `sluice-need:${way} rate=${range}`;
const latency = (range: string) => `sluice-need:sendrecv latency=${range}`;
const RANGE = [TALK, rate("80-32")];

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
const voice = (result: Result, toCaller: number, toCallee = toCaller, index = 0): Grant => ({
  ...{ index, phb: "EF", result, rates: [toCaller, toCallee] },
});
const plain = (index = 0): Grant => ({ ...voice("granted", 80, 80, index), told: false });
const talk = (result: Result, toCaller: number, toCallee = toCaller, index = 0): Grant => ({
  ...voice(result, toCaller, toCallee, index),
  class: "talk",
});
const game = (name: string, result: Result, kbits: number, index = 0): Grant => ({
  ...{ index, class: name, phb: "CS4", result, rates: [kbits, kbits], measured: true },
});

/** What becomes of a call: grants at the callee's side and at the caller's, as the 200 passes them; or its end. */
export type Outcome =
  | { readonly two: readonly Grant[]; readonly one: readonly Grant[] }
  | { readonly status: number; readonly why: RegExp; readonly after: "offer" | "answer" };
const served = (two: readonly Grant[], one = two): Outcome => ({ two, one });
const refused = (status: number, after: "offer" | "answer", why: RegExp): Outcome => ({ status, why, after });

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
const one = (room: Room): readonly [Room, Room] => [room, {}];
const two = (room: Room): readonly [Room, Room] => [{}, room];

const FULL = /is full: [\d.]+ kbit\/s needed, [\d.]+ kbit\/s free/;

export const ROWS: Readonly<Record<string, Row>> = {
  // Without needs.
  "a plain call": { offer: [[]], becomes: served([plain()]) },
  "a plain call, the callee's side full": {
    offer: [[]],
    rooms: two({ voice: 79 }),
    becomes: refused(503, "offer", FULL),
  },
  "a plain call, the caller's side full": {
    offer: [[]],
    rooms: one({ voice: 79 }),
    becomes: refused(503, "offer", FULL),
  },
  "a callee that is busy": { offer: [RANGE], answer: 486, becomes: refused(486, "answer", /^$/) },
  // Kept.
  "a class alone": { offer: [[TALK]], becomes: served([talk("granted", 80)]) },
  "a range, and room": { offer: [RANGE], becomes: served([talk("granted", 80)]) },
  "a range over IPv6": { offer: [RANGE], family: 6, becomes: served([talk("granted", 80)]) },
  "a late offer": { offer: [RANGE], late: true, becomes: served([talk("granted", 80)]) },
  // Room.
  "a range, less room at the callee's side": {
    offer: [RANGE],
    rooms: two({ voice: 50 }),
    becomes: served([talk("reduced", 50)], [talk("granted", 80)]),
  },
  "a range, less room at the caller's side": {
    offer: [RANGE],
    rooms: one({ voice: 50 }),
    becomes: served([talk("granted", 80)], [talk("reduced", 50)]),
  },
  "a range, less room at both sides": {
    offer: [RANGE],
    rooms: [{ voice: 40 }, { voice: 50 }],
    becomes: served([talk("reduced", 50)], [talk("reduced", 40)]),
  },
  "a range over IPv6, less room at the callee's side": {
    offer: [RANGE],
    family: 6,
    rooms: two({ voice: 50 }),
    becomes: served([talk("reduced", 50)], [talk("granted", 80)]),
  },
  "a late offer, less room at the callee's side": {
    offer: [RANGE],
    late: true,
    rooms: two({ voice: 50 }),
    becomes: served([talk("reduced", 50)], [talk("granted", 80)]),
  },
  "a range, room for the least": {
    offer: [RANGE],
    rooms: two({ voice: 32 }),
    becomes: served([talk("reduced", 32)], [talk("granted", 80)]),
  },
  "a range, the callee's side full": {
    offer: [RANGE],
    rooms: two({ voice: 31 }),
    becomes: refused(503, "offer", FULL),
  },
  "a range, the caller's side full": {
    offer: [RANGE],
    rooms: one({ voice: 31 }),
    becomes: refused(503, "offer", FULL),
  },
  "a range, both sides full": {
    offer: [RANGE],
    rooms: [{ voice: 31 }, { voice: 31 }],
    becomes: refused(503, "offer", FULL),
  },
  "one rate, less room": {
    offer: [[TALK, rate("64")]],
    rooms: two({ voice: 63 }),
    becomes: refused(503, "offer", FULL),
  },
  "other rates in each direction": {
    offer: [[TALK, rate("80-32", "send"), rate("40", "recv")]],
    answer: [[TALK, rate("80-32", "recv"), rate("40", "send")]],
    rooms: two({ voice: 60 }),
    becomes: served([talk("reduced", 40, 60)], [talk("granted", 40, 80)]),
  },
  "needs without a class": {
    offer: [[rate("80-32")]],
    rooms: two({ voice: 50 }),
    becomes: served([voice("reduced", 50)], [voice("granted", 80)]),
  },
  // Answers.
  "an answer that loosens": {
    offer: [RANGE],
    answer: [[TALK, rate("60-32")]],
    becomes: served([talk("granted", 60)]),
  },
  "an answer outside the range": {
    offer: [RANGE],
    answer: [[TALK, rate("80-16")]],
    becomes: refused(488, "answer", /rate/),
  },
  "an answer that tightens, and room": {
    offer: [RANGE],
    answer: [[TALK, rate("80-64")]],
    rooms: two({ voice: 64 }),
    becomes: served([talk("reduced", 64)], [talk("granted", 80)]),
  },
  "an answer that tightens beyond the callee's side": {
    offer: [RANGE],
    answer: [[TALK, rate("80-64")]],
    rooms: two({ voice: 50 }),
    becomes: refused(503, "answer", FULL),
  },
  "an answer that tightens beyond the caller's side": {
    offer: [RANGE],
    answer: [[TALK, rate("80-64")]],
    rooms: one({ voice: 50 }),
    becomes: refused(503, "answer", FULL),
  },
  "an answer that declines class and needs": { offer: [RANGE], answer: [[]], becomes: served([plain()]) },
  "an answer that declines a game": { offer: [[FPS]], answer: [[]], becomes: served([plain()]) },
  "an answer that names another class": {
    offer: [[FPS]],
    answer: [[RTS]],
    becomes: refused(488, "answer", /class/),
  },
  "an answer that refuses one of two media": {
    offer: [[TALK], [TALK]],
    answer: [[TALK], ["rejected"]],
    becomes: served([talk("granted", 80)]),
  },
  "an answer that holds": {
    offer: [RANGE],
    answer: [[...RANGE, "inactive"]],
    gates: "",
    becomes: served([talk("granted", 80)]),
  },
  "an offer that holds": {
    offer: [[...RANGE, "sendonly"]],
    answer: [[...RANGE, "recvonly"]],
    gates: ">",
    becomes: served([talk("granted", 80)]),
  },
  // Classes.
  "a class that is not known": {
    offer: [["sluice-class:chess"]],
    becomes: refused(403, "offer", /chess/),
  },
  "classes that no rule has together": { offer: [[TALK], [FPS]], becomes: refused(403, "offer", /talk|fps/) },
  "a class without a guarantee": {
    offer: [["sluice-class:film"]],
    becomes: served([{ index: 0, class: "film", phb: "BE", result: "bestEffort", rates: [0, 0] }]),
  },
  "a class, and a medium that names none": {
    offer: [[TALK], []],
    becomes: served([talk("granted", 80), voice("granted", 80, 80, 1)]),
  },
  "two media with different classes": {
    offer: [[FPS], [RTS]],
    becomes: served([game("fps", "granted", 80), game("rts", "granted", 80, 1)]),
  },
  "two media in a pool that is too small for both": {
    offer: [RANGE, RANGE],
    rooms: two({ voice: 130 }),
    becomes: served(
      [talk("reduced", 62), talk("reduced", 62, 62, 1)],
      [talk("granted", 80), talk("granted", 80, 80, 1)],
    ),
  },
  "more than the class's highest rate": {
    offer: [[RTS, rate("400-100")]],
    becomes: served([game("rts", "reduced", 200)]),
  },
  "no less than more than the class's highest rate": {
    offer: [[RTS, rate("400-300")]],
    becomes: refused(488, "offer", /200 kbit\/s/),
  },
  "the pool of a class is full": {
    offer: [[FPS]],
    rooms: two({ game: 50 }),
    becomes: refused(503, "offer", FULL),
  },
  // Security.
  "a class that requires DTLS, without": {
    offer: [["sluice-class:safe"]],
    becomes: refused(488, "offer", /dtls/i),
  },
  "a class that requires DTLS, with": {
    offer: [["dtls", "sluice-class:safe"]],
    becomes: served([{ ...talk("granted", 84), class: "safe" }]),
  },
  "SRTP required by the answer, of plain media": {
    offer: [[TALK]],
    answer: [[TALK, "sluice-security:srtp"]],
    becomes: refused(488, "answer", /srtp/i),
  },
  // Paths, measured in the game pool only.
  "a latency that the path keeps": {
    offer: [[FPS, latency("400-500")]],
    becomes: served([game("fps", "granted", 80)]),
  },
  "a latency between wanted and worst": {
    offer: [[FPS, latency("0.001-500")]],
    becomes: served([game("fps", "reduced", 80)]),
  },
  "a latency beyond what the path gives": {
    offer: [[FPS, latency("0.001")]],
    becomes: refused(580, "offer", /latency/),
  },
  "an answer with a latency beyond what the path gives": {
    offer: [[FPS, latency("0.001-500")]],
    answer: [[FPS, latency("0.001")]],
    becomes: refused(580, "answer", /latency/),
  },
  "a latency as the class promises, unmeasured": {
    offer: [[TALK, latency("150")]],
    becomes: served([talk("granted", 80)]),
  },
  "a latency that the class does not promise, unmeasured": {
    offer: [[TALK, latency("20-30")]],
    becomes: refused(580, "offer", /latency/),
  },
  "a latency that no class promises, unmeasured": {
    offer: [[latency("200")]],
    becomes: refused(580, "offer", /latency/),
  },
  "a hint that the class does not promise": {
    offer: [[TALK, "3gpp-qos-hint:latency=100"]],
    becomes: refused(580, "offer", /latency/),
  },
};

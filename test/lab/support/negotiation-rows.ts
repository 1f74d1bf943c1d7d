/** Offers, answers and the room on each side, with what becomes of a call: the rows of the lab's table. */
import { QUALITY_ROWS } from "./negotiation-quality-rows.js";
import {
  FILM,
  FPS,
  film,
  full,
  GAME_RANGE,
  game,
  one,
  plain,
  RANGE,
  type Row,
  RTS,
  rate,
  refused,
  served,
  TALK,
  talk,
  two,
  voice,
} from "./negotiation-vocabulary.js";

export const ROWS: Readonly<Record<string, Row>> = {
  // Without needs.
  "a plain call": { offer: [[]], becomes: served([plain()]) },
  "a plain call, the callee's side full": {
    offer: [[]],
    rooms: two({ voice: 79 }),
    becomes: refused(503, "offer", full("voice")),
  },
  "a plain call, the caller's side full": {
    offer: [[]],
    rooms: one({ voice: 79 }),
    becomes: refused(503, "offer", full("voice")),
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
    becomes: refused(580, "offer", full("voice")),
  },
  "a range, the caller's side full": {
    offer: [RANGE],
    rooms: one({ voice: 31 }),
    becomes: refused(580, "offer", full("voice")),
  },
  "a range, both sides full": {
    offer: [RANGE],
    rooms: [{ voice: 31 }, { voice: 31 }],
    becomes: refused(580, "offer", full("voice")),
  },
  "one rate, less room": {
    offer: [[TALK, rate("64")]],
    rooms: two({ voice: 63 }),
    becomes: refused(580, "offer", full("voice")),
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
    becomes: refused(580, "answer", full("voice")),
  },
  "an answer that tightens beyond the caller's side": {
    offer: [RANGE],
    answer: [[TALK, rate("80-64")]],
    rooms: one({ voice: 50 }),
    becomes: refused(580, "answer", full("voice")),
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
  "classes that no rule has together": { offer: [[TALK], [RTS]], becomes: refused(403, "offer", /\(talk, rts\)/) },
  "a class without a guarantee": {
    offer: [[FILM]],
    becomes: served([film]),
  },
  "a class, and a medium that names none": {
    offer: [[TALK], []],
    becomes: served([talk("granted", 80), voice("granted", 80, 80, 1)]),
  },
  "two media with different classes": {
    offer: [[FPS], [RTS]],
    becomes: served([game("fps", "granted", 80), game("rts", "granted", 80, 1)]),
  },
  "talk and a game": {
    offer: [[TALK], [FPS]],
    becomes: served([talk("granted", 80), game("fps", "granted", 80, 1)]),
  },
  "talk and a game over IPv6": {
    offer: [[TALK], [FPS]],
    family: 6,
    becomes: served([talk("granted", 88), game("fps", "granted", 88, 1)]),
  },
  "talk and a game, an answer without the game": {
    offer: [[TALK], [FPS]],
    answer: [[TALK], ["rejected"]],
    becomes: served([talk("granted", 80)]),
  },
  "talk and a game in a range, less room for games at the callee's side": {
    offer: [RANGE, GAME_RANGE],
    rooms: two({ game: 50 }),
    becomes: served(
      [talk("granted", 80), game("fps", "reduced", 50, 1)],
      [talk("granted", 80), game("fps", "granted", 80, 1)],
    ),
  },
  "talk and a game, no room for games at the callee's side": {
    offer: [[TALK], [FPS]],
    rooms: two({ game: 50 }),
    becomes: refused(580, "offer", full("game")),
  },
  "talk and a game, no room for games at the caller's side": {
    offer: [[TALK], [FPS]],
    rooms: one({ game: 50 }),
    becomes: refused(580, "offer", full("game")),
  },
  "talk and a game, an answer with a game beyond the caller's side": {
    offer: [RANGE, GAME_RANGE],
    answer: [RANGE, [FPS, rate("80-64")]],
    rooms: one({ game: 50 }),
    becomes: refused(580, "answer", full("game")),
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
    becomes: refused(580, "offer", full("game")),
  },
  "a game over IPv6": { offer: [[FPS]], family: 6, becomes: served([game("fps", "granted", 88)]) },
  "a game in a range over IPv6, less room for games at the caller's side": {
    offer: [GAME_RANGE],
    family: 6,
    rooms: one({ game: 50 }),
    becomes: served([game("fps", "granted", 80)], [game("fps", "reduced", 50)]),
  },
  ...QUALITY_ROWS,
};

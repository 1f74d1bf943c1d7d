import { afterEach, describe, expect, it } from "vitest";
import { millis } from "../../../src/model/units.js";
import { audio, CALLEE, CALLER, type Outcome, type Room, SESSION, Side, sdp, setUp } from "./two-servers.js";

const sides: Side[] = [];
afterEach(() => {
  for (const side of sides.splice(0)) side.close();
});

const TALK = "sluice-class:talk";
const FPS = "sluice-class:fps";
const RTS = "sluice-class:rts";
const rate = (range: string, way = "sendrecv") => `sluice-need:${way} rate=${range}`;
const latency = (range: string) => `sluice-need:sendrecv latency=${range}`;

/** What one server granted to medium 0, or to more media. */
const got = (...values: readonly string[]): readonly string[] => values;
const talk = (result: string, toCaller: number, toCallee = toCaller, more = "") =>
  `0;class=talk;phb=EF;result=${result};to-caller=${toCaller};to-callee=${toCallee}${more}`;
const game = (name: string, result: string, kbits: number, more = "", index = 0) =>
  `${index};class=${name};phb=VA;result=${result};to-caller=${kbits};to-callee=${kbits}${more}`;
const granted = (two: readonly string[], one = two): Outcome => ({ granted: [two, one] });
const refused = (where: string, reason: string): Outcome => ({ refused: where, reason, granted: [] });

type Lines = readonly string[];
interface Row {
  /** Attributes of the media, the lines of each medium together. */
  readonly offer: readonly Lines[];
  /** Those of the offer if left out. */
  readonly answer?: readonly Lines[];
  /** At the caller's side and at the callee's. */
  readonly rooms?: readonly [Room, Room];
  /** Latency, jitter and loss measured there; of all pools. */
  readonly paths?: readonly [Path?, Path?];
  readonly becomes: Outcome;
}
type Path = readonly [latency: number, jitter: number, loss: number];

const RANGE = [TALK, rate("80-32")];
const one = (room: Room): readonly [Room, Room] => [room, {}];
const two = (room: Room): readonly [Room, Room] => [{}, room];

const ROWS: Readonly<Record<string, Row>> = {
  // Without needs.
  "a plain call": { offer: [[]], becomes: granted([]) },
  "a plain call without room at the callee's side": {
    offer: [[]],
    rooms: two({ voice: 79 }),
    becomes: refused("invite 2", "noRoom"),
  },
  "a plain call without room at the caller's side": {
    offer: [[]],
    rooms: one({ voice: 79 }),
    becomes: refused("invite 1", "noRoom"),
  },
  // A class, and ranges of rates.
  "a class alone": { offer: [[TALK]], becomes: granted([talk("granted", 80)]) },
  "a class at session level": { offer: [[TALK]], becomes: granted([talk("granted", 80)]) },
  "a range, and room": { offer: [RANGE], becomes: granted([talk("granted", 80)]) },
  "a range, and less room at the callee's side": {
    offer: [RANGE],
    rooms: two({ voice: 50 }),
    becomes: granted([talk("reduced", 50)], [talk("granted", 80)]),
  },
  "a range, and less room at the caller's side": {
    offer: [RANGE],
    rooms: one({ voice: 50 }),
    becomes: granted([talk("granted", 80)], [talk("reduced", 50)]),
  },
  "a range, and less room at both sides": {
    offer: [RANGE],
    rooms: [{ voice: 40 }, { voice: 50 }],
    becomes: granted([talk("reduced", 50)], [talk("reduced", 40)]),
  },
  "a range, and room for a part of a kbit/s more": {
    offer: [RANGE],
    rooms: two({ voice: 50.9 }),
    becomes: granted([talk("reduced", 50)], [talk("granted", 80)]),
  },
  "a range, and room for the least": {
    offer: [RANGE],
    rooms: two({ voice: 32 }),
    becomes: granted([talk("reduced", 32)], [talk("granted", 80)]),
  },
  "a range, and room for less at the callee's side": {
    offer: [RANGE],
    rooms: two({ voice: 31.9 }),
    becomes: refused("invite 2", "rateUnavailable"),
  },
  "a range, and room for less at the caller's side": {
    offer: [RANGE],
    rooms: one({ voice: 31.9 }),
    becomes: refused("invite 1", "rateUnavailable"),
  },
  "a range over IPv6, and less room at the callee's side": {
    offer: [RANGE],
    rooms: two({ voice: 50 }),
    becomes: granted([talk("reduced", 50)], [talk("granted", 80)]),
  },
  "one rate below the codec's": { offer: [[TALK, rate("64")]], becomes: granted([talk("granted", 64)]) },
  "one rate, and less room": {
    offer: [[TALK, rate("64")]],
    rooms: two({ voice: 63 }),
    becomes: refused("invite 2", "rateUnavailable"),
  },
  "other rates in each direction": {
    offer: [[TALK, rate("80-32", "send"), rate("40", "recv")]],
    answer: [[TALK, rate("80-32", "recv"), rate("40", "send")]],
    rooms: two({ voice: 60 }),
    becomes: granted([talk("reduced", 40, 60)], [talk("granted", 40, 80)]),
  },
  "needs without a class": {
    offer: [[rate("80-32")]],
    rooms: two({ voice: 50 }),
    becomes: granted(
      got("0;phb=EF;result=reduced;to-caller=50;to-callee=50"),
      got("0;phb=EF;result=granted;to-caller=80;to-callee=80"),
    ),
  },
  // Answers.
  "an answer that is content with less": {
    offer: [RANGE],
    answer: [[TALK, rate("60-32")]],
    becomes: granted([talk("granted", 60)]),
  },
  "an answer that accepts less than the offer": {
    offer: [RANGE],
    answer: [[TALK, rate("80-16")]],
    becomes: refused("answer 2", "mediaUnacceptable"),
  },
  "an answer that needs more, and room": {
    offer: [RANGE],
    answer: [[TALK, rate("80-64")]],
    rooms: two({ voice: 64 }),
    becomes: granted([talk("reduced", 64)], [talk("granted", 80)]),
  },
  "an answer that needs more than there is at the callee's side": {
    offer: [RANGE],
    answer: [[TALK, rate("80-64")]],
    rooms: two({ voice: 50 }),
    becomes: refused("answer 2", "rateUnavailable"),
  },
  "an answer that needs more than there is at the caller's side": {
    offer: [RANGE],
    answer: [[TALK, rate("80-64")]],
    rooms: one({ voice: 50 }),
    becomes: refused("answer 1", "rateUnavailable"),
  },
  "an answer that declines class and needs": { offer: [RANGE], answer: [[]], becomes: granted([]) },
  "an answer that declines a class without which another rule serves": {
    offer: [[FPS]],
    answer: [[]],
    rooms: [{ voice: 80 }, { voice: 80 }],
    becomes: granted([]),
  },
  "an answer that names another class": {
    offer: [[FPS]],
    answer: [[RTS]],
    becomes: refused("answer 2", "mediaUnacceptable"),
  },
  "an answer that refuses one of two media": {
    offer: [[TALK], [TALK]],
    answer: [[TALK], ["rejected"]],
    rooms: [{ voice: 200 }, { voice: 200 }],
    becomes: granted([talk("granted", 80)]),
  },
  "an answer that holds": { offer: [RANGE], answer: [[...RANGE, "inactive"]], becomes: granted([talk("granted", 80)]) },
  // Classes.
  "a class that is not known": { offer: [["sluice-class:chess"]], becomes: refused("invite 1", "notAuthorised") },
  "classes that no rule has together": { offer: [[TALK], [FPS]], becomes: refused("invite 1", "notAuthorised") },
  "a class without a guarantee": {
    offer: [["sluice-class:film"]],
    becomes: granted(got("0;class=film;phb=BE;result=bestEffort;to-caller=0;to-callee=0")),
  },
  "a class, and a medium that names none": {
    offer: [[TALK], []],
    rooms: [{ voice: 200 }, { voice: 200 }],
    becomes: granted(got(talk("granted", 80), "1;phb=EF;result=granted;to-caller=80;to-callee=80")),
  },
  "two classes": {
    offer: [[FPS], [RTS]],
    becomes: granted(got(game("fps", "granted", 80), game("rts", "granted", 80, "", 1))),
  },
  "two media in a pool that is too small for both": {
    offer: [RANGE, RANGE],
    rooms: two({ voice: 130 }),
    becomes: granted(
      got(talk("reduced", 62), talk("reduced", 62).replace("0;", "1;")),
      got(talk("granted", 80), talk("granted", 80).replace("0;", "1;")),
    ),
  },
  "more than the class's highest rate": {
    offer: [[RTS, rate("400-100")]],
    becomes: granted([game("rts", "reduced", 200)]),
  },
  "no less than more than the class's highest rate": {
    offer: [[RTS, rate("400-300")]],
    becomes: refused("invite 1", "mediaUnacceptable"),
  },
  "a pool of the class that is full, beside one that is not": {
    offer: [[FPS]],
    rooms: two({ game: 50 }),
    becomes: refused("invite 2", "rateUnavailable"),
  },
  // Security; the tag of SRTP is in the rate.
  "a class that requires DTLS, without": { offer: [["sluice-class:safe"]], becomes: refused("invite 1", "insecure") },
  "a class that requires DTLS, with": {
    offer: [["dtls", "sluice-class:safe"]],
    becomes: granted([game("safe", "granted", 84)]),
  },
  "DTLS required by the offer, and plain media": {
    offer: [[TALK, "sluice-security:dtls"]],
    becomes: refused("invite 1", "insecure"),
  },
  // Budgets.
  "a latency as the class promises": {
    offer: [[FPS, latency("40-60")]],
    becomes: granted([game("fps", "granted", 80)]),
  },
  "a latency that is wanted below what the class promises": {
    offer: [[FPS, latency("30-60")]],
    becomes: granted([game("fps", "reduced", 80)]),
  },
  "a latency that the class does not promise": {
    offer: [[FPS, latency("20-30")]],
    becomes: refused("invite 1", "qualityUnavailable"),
  },
  "a latency that no class promises": { offer: [[latency("200")]], becomes: refused("invite 1", "qualityUnavailable") },
  "a latency that the path keeps, though the class promises less": {
    offer: [[FPS, latency("20-30")]],
    paths: [
      [10, 1, 0],
      [20, 1, 0],
    ],
    becomes: granted(
      [game("fps", "granted", 80, ";latency=20;jitter=1;loss=0")],
      [game("fps", "granted", 80, ";latency=10;jitter=1;loss=0")],
    ),
  },
  "a latency between wanted and worst on one path": {
    offer: [[FPS, latency("20-30")]],
    paths: [
      [25, 1, 0],
      [20, 1, 0],
    ],
    becomes: granted(
      [game("fps", "granted", 80, ";latency=20;jitter=1;loss=0")],
      [game("fps", "reduced", 80, ";latency=25;jitter=1;loss=0")],
    ),
  },
  "a latency beyond what is acceptable on the callee's path": {
    offer: [[FPS, latency("20-30")]],
    paths: [
      [20, 1, 0],
      [31, 1, 0],
    ],
    becomes: refused("invite 2", "qualityUnavailable"),
  },
  "a class whose budget the path does not keep": {
    offer: [[TALK]],
    paths: [[20, 1, 0.02]],
    becomes: refused("invite 1", "qualityUnavailable"),
  },
  "a loose need on a path that does not keep the class's budget": {
    offer: [[FPS, latency("200")]],
    paths: [
      [100, 1, 0],
      [100, 1, 0],
    ],
    becomes: granted([game("fps", "granted", 80, ";latency=100;jitter=1;loss=0")]),
  },
  "a hint that the class promises": {
    offer: [[TALK, "3gpp-qos-hint:loss=0.01;latency=200"]],
    becomes: granted([talk("granted", 80)]),
  },
  "a hint that the class does not promise": {
    offer: [[TALK, "3gpp-qos-hint:latency=100"]],
    becomes: refused("invite 1", "qualityUnavailable"),
  },
};

const FINGERPRINT = `fingerprint:sha-256 ${Array.from({ length: 32 }, () => "AB").join(":")}`;

/** `dtls` and `rejected` stand for what is no attribute of its own. */
function described(address: string, media: readonly Lines[], title: string, setup: string): string {
  const written = media.map((lines, nth) => {
    const own = audio(nth, ...lines.filter((line) => line !== "dtls" && line !== "rejected"));
    if (lines.includes("rejected")) return own.map((line) => line.replace(/^m=audio \d+/, "m=audio 0"));
    if (!lines.includes("dtls")) return own;
    return [...own.map((line) => line.replace("RTP/AVP", "UDP/TLS/RTP/SAVP")), `a=${FINGERPRINT}`, `a=setup:${setup}`];
  });
  const whole = sdp(address, ...written);
  if (!title.includes("at session level")) return whole;
  return whole.replace(`a=${TALK}\r\n`, "").replace("t=0 0\r\n", `t=0 0\r\na=${TALK}\r\n`);
}

describe("an offer, its answer, and the room on each side", () => {
  it("is a table of more than forty", () => expect(Object.keys(ROWS).length).toBeGreaterThanOrEqual(40));

  it.each(Object.entries(ROWS))("%s", async (title, row) => {
    const { offer, answer = offer, rooms = [{}, {}], paths = [] } = row;
    const [caller, callee] = [new Side("originating", rooms[0]), new Side("terminating", rooms[1])];
    sides.push(caller, callee);
    for (const [index, path] of paths.entries()) {
      const [delay = 0, jitter = 0, loss = 0] = path ?? [];
      const quality = { latency: millis(delay), jitter: millis(jitter), loss };
      if (path !== undefined) for (const pool of ["voice", "game"]) [caller, callee][index]?.paths.set(pool, quality);
    }
    const outcome = await setUp(caller, callee, {
      offer: described(title.includes("IPv6") ? "fd01::a" : CALLER, offer, title, "actpass"),
      answer: described(title.includes("IPv6") ? "fd03::a" : CALLEE, answer, title, "active"),
    });
    expect(outcome).toEqual(row.becomes);
    for (const side of [caller, callee]) await side.service.release(SESSION, "bye");
    expect([caller.isIdle, callee.isIdle]).toEqual([true, true]);
  });
});

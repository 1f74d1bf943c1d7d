/**
 * What quality in descriptions adds to reading them: an offer and its answer, each of 16 media with four attributes of
 * quality, from octets to agreed flows. The baseline is the same descriptions without those attributes.
 */
import { flowsOf } from "../src/sip/sdp/flows.js";
import { readSdp } from "../src/sip/sdp/reader.js";
import { median, printFigure, rounded } from "./figure.js";

const MEDIA = 16;
const RUNS = 5_000;
const WARM_UP = 2_000;
const GOAL_MS = 1;

interface Exchange {
  readonly offer: Buffer;
  readonly answer: Buffer;
}

function description(address: string, quality: readonly string[]): Buffer {
  const media = Array.from({ length: MEDIA }, (_, nth) => [
    `m=application ${4000 + nth} UDP game`,
    ...quality.map((line) => line.replace("CLASS", `game-${nth}`)),
  ]);
  const lines = ["v=0", "o=- 1 1 IN IP4 x", "s=-", `c=IN IP4 ${address}`, "t=0 0", ...media.flat()];
  return Buffer.from(lines.map((line) => `${line}\r\n`).join(""), "latin1");
}

const exchange = (offered: readonly string[], answered: readonly string[]): Exchange => ({
  offer: description("198.51.100.1", offered),
  answer: description("203.0.113.9", answered),
});

const CLASS = ["a=sluice-class:CLASS format=binary-v1", "a=sluice-security:none"];
const OFFERED = [
  ...CLASS,
  "a=sluice-need:send latency=40-80;jitter=10-20;loss=0.001-0.01;rate=256-128",
  "a=sluice-need:recv latency=40-80;jitter=10-20;loss=0.001-0.01;rate=512-256",
];
const ANSWERED = [
  ...CLASS,
  "a=sluice-need:recv latency=60-80;jitter=10-20;loss=0.001-0.01;rate=256-128",
  "a=sluice-need:send latency=40-80;jitter=5-20;loss=0.001-0.01;rate=384-256",
];

/** Milliseconds of each run, sorted. */
function timed({ offer, answer }: Exchange): readonly number[] {
  const times: number[] = [];
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    const started = performance.now();
    const result = flowsOf(readSdp(offer), readSdp(answer));
    const ended = performance.now();
    if (result.kind !== "flows" || result.flows.length !== 2 * MEDIA) throw new Error("these are not the agreed flows");
    // The first runs teach the compiler.
    if (run >= WARM_UP) times.push(ended - started);
  }
  return times.toSorted((left, right) => left - right);
}

const plain = median(timed(exchange([], [])));
const agreed = median(timed(exchange(OFFERED, ANSWERED)));
printFigure({
  bench: "negotiate",
  figure: `offer and answer of ${MEDIA} media with ${MEDIA * OFFERED.length} attributes of quality each, to agreed flows, p50`,
  value: rounded(agreed),
  unit: "ms",
  baseline: rounded(plain),
  ratio: rounded(plain / agreed),
  goal: `<= ${GOAL_MS} ms`,
  ok: agreed <= GOAL_MS,
});

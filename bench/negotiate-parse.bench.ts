/**
 * What quality in descriptions adds to reading them: an offer and its answer, each of 16 media with 64 attributes of quality in
 * all, from octets to agreed flows. The baseline is the same descriptions without those attributes. What is decided about them:
 * negotiate-decision.bench.ts.
 */
import { flowsOf } from "../src/sip/sdp/flows.js";
import { readSdp } from "../src/sip/sdp/reader.js";
import { ATTRIBUTES, type Exchange, MEDIA, NEGOTIATED, PLAIN } from "./decision/messages.js";
import { median, printFigure, rounded } from "./figure.js";

const RUNS = 5_000;
const WARM_UP = 2_000;
const GOAL_MS = 1;

/** Milliseconds of each run, sorted. */
function timed(exchange: Exchange): readonly number[] {
  const [offer, answer] = [Buffer.from(exchange.offer, "latin1"), Buffer.from(exchange.answer, "latin1")];
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

const plain = median(timed(PLAIN));
const agreed = median(timed(NEGOTIATED));
printFigure({
  bench: "negotiate",
  figure: `offer and answer, each of ${MEDIA} media with ${ATTRIBUTES} attributes of quality in all, to agreed flows, p50`,
  value: rounded(agreed),
  unit: "ms",
  baseline: rounded(plain),
  ratio: rounded(plain / agreed),
  goal: `<= ${GOAL_MS} ms`,
  ok: agreed <= GOAL_MS,
});

/**
 * What admission into a pool that is there adds to the set-up of a call: the session takes from the pool and from the two
 * links that it lies in, and the pool's reservation is asked whether it is still large enough. The peer is the ledger of a
 * single pool that stays as it is.
 */
import { SYSTEM_CLOCK } from "../src/model/clock.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import type { SessionId } from "../src/model/session.js";
import { bitsPerSecond, seconds, timestamp } from "../src/model/units.js";
import { AdmissionLedger, type LedgerAnswer, type PoolNeed } from "../src/pdp/ledger.js";
import { PoolKeeper } from "../src/pdp/pools/pool-keeper.js";
import { InstantReservations } from "../src/pdp/pools/reservation-port.js";
import type { SessionPools } from "../src/pdp/pools/session-pools.js";
import { printFigure, rounded } from "./figure.js";

/** Sessions that are there already. */
const RESIDENT = [0, 1000, 10_000] as const;
const RUNS = 10_000;
const WARM_UP = 10_000;
const GOAL_MS = 1;
const RATE = bitsPerSecond(87_200);
const CEILING = bitsPerSecond(20_000 * RATE);
const STEP = bitsPerSecond(100 * RATE);
const [POOL, NEAR, FAR] = ["voice", "near", "far"];

const needs = (...names: readonly string[]): readonly PoolNeed[] =>
  names.map((pool) => ({ pool, up: RATE, down: RATE }));
const pool = (name: string) => ({ name, rate: CEILING });
const idOf = (session: number): SessionId => session.toString(16).padStart(16, "0") as SessionId;

/** Milliseconds of one session's `reserve` and `release`. */
interface Times {
  readonly reserve: readonly number[];
  readonly release: readonly number[];
}

function kept(): { readonly pools: SessionPools; readonly close: () => void } {
  const sizing = {
    floor: STEP,
    ceiling: CEILING,
    step: STEP,
    // Room for the next session, so that none waits for the network.
    headRoom: bitsPerSecond(2 * RATE),
    hold: seconds(30),
    growTimeout: seconds(1),
    retry: seconds(10),
  };
  const voice = { ...pool(POOL), overhead: bitsPerSecond(0), sizing, schedule: [] };
  const keeper: PoolKeeper = new PoolKeeper({
    ledger: new AdmissionLedger([voice, pool(NEAR), pool(FAR)]),
    pools: [voice],
    timeZone: "UTC",
    port: new InstantReservations(() => keeper),
    rank: () => ({ priority: 0, since: timestamp(0) }),
    shed: (session) => keeper.release(session),
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
  });
  keeper.start();
  return { pools: keeper, close: () => keeper.close() };
}

function isAdmitted(answer: LedgerAnswer | Promise<LedgerAnswer>): boolean {
  return !(answer instanceof Promise) && answer.admitted;
}

function timed(pools: SessionPools, way: readonly PoolNeed[], resident: number): Times {
  for (let session = 0; session < resident; session++) pools.restore(idOf(session), way);
  const [reserve, release]: [number[], number[]] = [[], []];
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    const session = idOf(resident + run);
    const started = performance.now();
    const answer = pools.reserve(session, way);
    const reserved = performance.now();
    pools.release(session);
    const released = performance.now();
    if (!isAdmitted(answer)) throw new Error(`session ${run} was not admitted at once`);
    // The first runs teach the compiler.
    if (run < WARM_UP) continue;
    reserve.push(reserved - started);
    release.push(released - reserved);
  }
  return { reserve: sorted(reserve), release: sorted(release) };
}

const sorted = (times: readonly number[]): readonly number[] => times.toSorted((left, right) => left - right);
const at = (times: readonly number[], part: number): number =>
  times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN;

for (const resident of RESIDENT) {
  const plain = timed(new AdmissionLedger([pool(POOL)]), needs(POOL), resident);
  const keeper = kept();
  const nested = timed(keeper.pools, needs(NEAR, POOL, FAR), resident);
  keeper.close();
  for (const verb of ["reserve", "release"] as const) {
    for (const [name, part] of [
      ["p50", 0.5],
      ["p99", 0.99],
    ] as const) {
      const [value, baseline] = [at(nested[verb], part), at(plain[verb], part)];
      printFigure({
        bench: "pools",
        figure: `${verb} one session, pool in two links, ${resident} sessions in it, ${name}`,
        value: rounded(value),
        unit: "ms",
        baseline: rounded(baseline),
        ratio: rounded(baseline / value),
        goal: `<= ${GOAL_MS} ms`,
        ok: value <= GOAL_MS,
      });
    }
  }
}

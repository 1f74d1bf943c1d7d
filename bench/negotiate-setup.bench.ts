/**
 * How long a session takes to set up between two scripted players, each at its provider: from the INVITE's leaving to the
 * first packet of the game at the far end, in the lab. The baseline is the same call without any negotiated quality, in turn
 * with it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { median, p99Of, printFigure, rounded } from "./figure.js";
import { Agent, CALLEE, CALLER, type Call, call, FAST_GAME, hangUp, inGameLab } from "./game-lab.js";

const CALLS = Number(process.env.BENCH_ROUNDS ?? 100);
/** Teach the servers' compilers. */
const WARM_UP = 20;
const GOAL_MS = 50;
/** Between calls: reservations have gone, and nothing of the last one competes. */
const PAUSE_MS = 250;

const sorted = (calls: readonly Call[], of: keyof Call): readonly number[] =>
  calls.map((one) => one[of]).toSorted((left, right) => left - right);

function report(negotiated: readonly Call[], plain: readonly Call[]): void {
  const parts = {
    answered: "200 at the caller",
    mediaAtCallee: "first packet at the callee",
    mediaAtBoth: "first packet at both",
  };
  for (const [of, name] of Object.entries(parts) as [keyof Call, string][]) {
    const [values, baseline] = [sorted(negotiated, of), median(sorted(plain, of))];
    const value = median(values);
    const p99 = p99Of(values);
    printFigure({
      bench: "negotiate",
      figure: `scripted players: INVITE to ${name}, negotiated ${FAST_GAME}, p50 of ${CALLS} (p99 ${rounded(p99)} ms)`,
      value: rounded(value),
      unit: "ms",
      baseline: rounded(baseline),
      ratio: rounded(baseline / value),
      goal: `<= ${GOAL_MS} ms`,
      ok: value <= GOAL_MS,
    });
  }
}

await inGameLab("setup", async (lab) => {
  const caller = await Agent.start(lab, "uac", CALLER);
  const callee = await Agent.start(lab, "uas", CALLEE);
  try {
    const players = { caller, callee };
    const [negotiated, plain]: [Call[], Call[]] = [[], []];
    for (let nth = 0; nth < WARM_UP + CALLS; nth++) {
      for (const [calls, sessionClass] of [[negotiated, FAST_GAME] as const, [plain, undefined] as const]) {
        await sleep(PAUSE_MS);
        const made = await call(players, sessionClass);
        if (nth >= WARM_UP) calls.push(made);
        await hangUp(players);
      }
    }
    report(negotiated, plain);
  } finally {
    caller.stop();
    callee.stop();
  }
});

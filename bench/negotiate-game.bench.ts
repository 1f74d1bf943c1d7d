/**
 * A fast game's packets through a session that was admitted as `game-fps`, while the bottleneck is flooded at three times its
 * rate both ways: 60 a second each way, counted and timed by captures at both hosts. The baseline is the same game in the same
 * flood without negotiated quality. The sessions are set up within the flood.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startFlood } from "../src/lab/demo/congestion.js";
import type { Lab } from "../src/lab/lab.js";
import { combineDirections, type MediaFigures, measureStream, readStream } from "../src/lab/media.js";
import { printFigure, rounded } from "./figure.js";
import { Agent, CALLEE, CALLER, call, FAST_GAME, hangUp, inGameLab, type Players } from "./game-lab.js";

const SECONDS = Number(process.env.BENCH_SECONDS ?? 30);
const PACKETS_PER_SECOND = 60;
const GOAL_P99_MS = 5;
/** RFC 4594 §4.4. */
const CS4 = 32;
/** What was on its way when the players stopped. */
const DRAIN_MS = 1000;

async function play(lab: Lab, players: Players, folder: string, sessionClass?: string): Promise<MediaFigures> {
  const [sent, received] = ["uac", "uas"].map((host) => join(folder, `${host}-${sessionClass ?? "plain"}.pcap`));
  const files = { uac: sent ?? "", uas: received ?? "" };
  const captures = (["uac", "uas"] as const).map((host) => {
    const how = [
      "-i",
      "eth0",
      "-n",
      "-U",
      "--immediate-mode",
      "-s",
      "128",
      "-B",
      "16384",
      "-Z",
      "root",
      "-w",
      files[host],
    ];
    return lab.spawn(host, ["tcpdump", ...how, "udp", "portrange", "20000-30000"]);
  });
  await Promise.all(captures.map((capture) => capture.said("listening on")));
  const { port } = await call(players, sessionClass);
  await sleep(SECONDS * 1000);
  const counts = await hangUp(players);
  await sleep(DRAIN_MS);
  await Promise.all(captures.map((capture) => capture.stop()));
  const direction = async (from: "uac" | "uas", to: "uac" | "uas"): Promise<MediaFigures> => {
    const [source, destination] = [from, to].map((host) => (host === "uac" ? CALLER : CALLEE).address);
    const key = { source: source ?? "", destination: destination ?? "", destinationPort: port };
    return measureStream(await readStream(files[from], key), await readStream(files[to], key));
  };
  const [toCallee, toCaller] = [await direction("uac", "uas"), await direction("uas", "uac")];
  if (toCallee.sent !== counts.caller || toCaller.sent !== counts.callee) {
    throw new Error(`${counts.caller} and ${counts.callee} were sent, ${toCallee.sent} and ${toCaller.sent} captured`);
  }
  const least = 0.95 * SECONDS * PACKETS_PER_SECOND;
  if (Math.min(toCallee.sent, toCaller.sent) < least) throw new Error(`a player sent less than ${least} packets`);
  return combineDirections(toCallee, toCaller);
}

function report(assured: MediaFigures, plain: MediaFigures): void {
  const lost = ({ sent, received }: MediaFigures): number => sent - received;
  const about = `${assured.sent} packets, 60/s both ways, flood of three times the link`;
  const isMarked = assured.dscp.length === 1 && assured.dscp[0] === CS4;
  printFigure({
    bench: "negotiate",
    figure: `${FAST_GAME}, ${about}: lost (DSCP at the receivers: ${assured.dscp}; best effort: ${plain.dscp})`,
    value: lost(assured),
    unit: "packets",
    baseline: lost(plain),
    ratio: rounded(lost(plain) / Math.max(1, lost(assured))),
    goal: "0, all of them CS4",
    ok: lost(assured) === 0 && isMarked,
  });
  for (const [name, of, goal] of [
    ["p99", "p99Ms", GOAL_P99_MS],
    ["p50", "p50Ms", GOAL_P99_MS],
    ["jitter (RFC 3550 §6.4.1)", "jitterMs", GOAL_P99_MS],
  ] as const) {
    printFigure({
      bench: "negotiate",
      figure: `${FAST_GAME}, ${about}: one-way delay, the worse direction, ${name}`,
      value: rounded(assured[of]),
      unit: "ms",
      baseline: rounded(plain[of]),
      ratio: rounded(plain[of] / assured[of]),
      goal: `<= ${goal} ms`,
      ok: assured[of] <= goal,
    });
  }
}

const folder = await mkdtemp(join(tmpdir(), "sluice-bench-game-"));
try {
  await inGameLab("game", async (lab) => {
    const caller = await Agent.start(lab, "uac", CALLER);
    const callee = await Agent.start(lab, "uas", CALLEE);
    const flood = await startFlood(lab);
    try {
      const players = { caller, callee };
      const assured = await play(lab, players, folder, FAST_GAME);
      report(assured, await play(lab, players, folder));
    } finally {
      await flood.stop();
      caller.stop();
      callee.stop();
    }
  });
} finally {
  await rm(folder, { recursive: true });
}

/**
 * What a session of 16 media with 64 attributes of quality costs a policy server: from the octets of the INVITE until it has
 * decided whether the session may be (AAA), and from the octets of the 200 until it has decided what is granted (LDP). Reading,
 * rules, pools, measured paths and the store's writing are in these figures. The goal is held with the store in memory, which is
 * the server's own time; what a disk's commit adds (SQLite, WAL, `synchronous=FULL`) is told beside it, since it is the disk's. The
 * router's time and a clearinghouse's are in none: the one answers at once, and the server authorises by itself. Each session
 * has a Call-ID of its own, and is ended outside of the time. The baseline is the same session without attributes, in turn with it,
 * at the same server; of a pool that is too small for both, at the first server.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BitsPerSecond, bitsPerSecond } from "../src/model/units.js";
import { ATTRIBUTES, type Exchange, MEDIA, NEGOTIATED, PLAIN } from "./decision/messages.js";
import { type Decided, DecisionServer } from "./decision/server.js";
import { median, p99Of, printFigure, rounded } from "./figure.js";

const RUNS = Number(process.env.BENCH_ROUNDS ?? 500);
const WARM_UP = 300;
const GOAL_MS = 1;
const LIVING = 1000;
/** Where files are no files of a disk. */
const MEMORY = "/dev/shm";
const AMPLE = bitsPerSecond(100e9);
/** More than the least of what the answer asks for, and less than the most. */
const SCARCE = bitsPerSecond(5.5e6);

interface Times {
  readonly negotiated: readonly Decided[];
  readonly plain: readonly Decided[];
}

interface World {
  readonly rate?: BitsPerSecond;
  /** Sessions that are there already. */
  readonly living?: number;
  /** Directory of the state's directory; in memory if it is left out. */
  readonly place?: string;
}

/** Only negotiated sessions fit into a scarce pool. */
async function timed({ rate = AMPLE, living = 0, place = MEMORY }: World): Promise<Times> {
  const directory = mkdtempSync(join(place, "sluice-bench-decision-"));
  const server = new DecisionServer(directory, rate);
  try {
    for (let nth = 0; nth < living; nth++) await server.setUp(NEGOTIATED, `user${nth}@a.example`);
    const times = { negotiated: [] as Decided[], plain: [] as Decided[] };
    const isScarce = rate < AMPLE;
    for (let run = 0; run < WARM_UP + RUNS; run++) {
      const negotiated = await once(server, NEGOTIATED, isScarce ? "reduced" : "granted");
      const plain = isScarce ? undefined : await once(server, PLAIN);
      // The first runs teach the compiler.
      if (run < WARM_UP) continue;
      times.negotiated.push(negotiated);
      if (plain !== undefined) times.plain.push(plain);
    }
    return times;
  } finally {
    server.close();
    rmSync(directory, { recursive: true });
  }
}

/** @param result - of its media; at least one of them is reduced, or all are granted */
async function once(server: DecisionServer, exchange: Exchange, result?: "granted" | "reduced"): Promise<Decided> {
  const { took, record } = await server.setUp(exchange);
  const results = (record.grants ?? []).map((grant) => grant.result);
  const isAsMeant =
    results.length === (result === undefined ? 0 : MEDIA) &&
    (result === "reduced" ? results.includes("reduced") : results.every((each) => each === result));
  if (!isAsMeant) throw new Error(`granted was: ${results.join(", ")}`);
  await server.end(record);
  return took;
}

const sorted = (times: readonly Decided[], of: keyof Decided): readonly number[] =>
  times.map((one) => one[of]).toSorted((left, right) => left - right);

const MESSAGES = { invite: "INVITE to its decision (AAA)", ok: "200 to its decision (LDP)" } as const;

function report(about: string, { negotiated, plain }: Times, isOfDisk = false): void {
  for (const [of, name] of Object.entries(MESSAGES) as [keyof Decided, string][]) {
    const [values, baseline] = [sorted(negotiated, of), median(sorted(plain, of))];
    const value = median(values);
    const p99 = p99Of(values);
    const session = `${MEDIA} media with ${ATTRIBUTES} attributes of quality in each description`;
    printFigure({
      bench: "negotiate",
      figure: `${session}, ${name}, ${about}, p50 of ${values.length} (p99 ${rounded(p99)} ms)`,
      value: rounded(value),
      unit: "ms",
      baseline: rounded(baseline),
      ratio: rounded(baseline / value),
      goal: isOfDisk ? "none: the disk's" : `<= ${GOAL_MS} ms`,
      ok: isOfDisk ? Number.isFinite(value) : value <= GOAL_MS,
    });
  }
}

const alone = await timed({});
report("no other session", alone);
report(`${LIVING} other sessions`, await timed({ living: LIVING }));
// The best rate of every flow has to be looked for.
const { negotiated } = await timed({ rate: SCARCE });
report("a pool too small for what is wanted", { negotiated, plain: alone.plain });
report("and durable on this disk", await timed({ place: tmpdir() }), true);

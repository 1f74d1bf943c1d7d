/** Records what the policy server and the kernel have of the pool, four times a second. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Lab } from "../../src/lab/lab.js";
import { POOL } from "./configs.js";
import type { Moment, Sample } from "./evidence.js";
import { numberIn, poolIn } from "./views.js";

const EVERY_MS = 250;
/** Of `tc`: the link, the first pool, what is neither pool nor signalling. */
const CLASSES = { link: "1:1", pool: "1:11", default: "1:ffff" } as const;

export interface Recording {
  /** Milliseconds since it began. */
  now(): number;
  note(what: string): void;
  stop(): Promise<{ readonly samples: readonly Sample[]; readonly moments: readonly Moment[] }>;
}

export function startRecording(lab: Lab): Recording {
  const began = performance.now();
  const now = (): number => Math.round(performance.now() - began);
  const samples: Sample[] = [];
  const moments: Moment[] = [];
  let isOver = false;
  const record = async (): Promise<void> => {
    for (let due = 0; !isOver; due = Math.max(due + EVERY_MS, now())) {
      await sleep(Math.max(0, due - now()));
      // One that fails is left out: the line is joined over the gap.
      const sample = await sampleAt(lab, now).catch(() => undefined);
      if (sample !== undefined) samples.push(sample);
    }
  };
  const recording = record();
  return {
    now,
    note: (what) => void moments.push({ ms: now(), what }),
    stop: async () => {
      isOver = true;
      await recording;
      return { samples, moments };
    },
  };
}

async function sampleAt(lab: Lab, now: () => number): Promise<Sample> {
  const pools = await lab.ask("pol1", "/v1/show/pools");
  const tc = await lab.exec("r1", ["tc", "-s", "class", "show", "dev", "core"]);
  return sampleOf(now(), pools, tc);
}

/** Joins what `sluice show pools` and `tc -s class show` said at one moment. @throws SystemError if one lacks the pool */
export function sampleOf(ms: number, pools: readonly unknown[], tc: string): Sample {
  const pool = poolIn(pools, POOL);
  const classes = classesIn(tc);
  return {
    ms,
    reserved: numberIn(pool, "reserved"),
    used: numberIn(pool, "used"),
    sessions: numberIn(pool, "sessions"),
    poolOctets: numberIn(classes[CLASSES.pool], "octets"),
    linkOctets: numberIn(classes[CLASSES.link], "octets"),
    dropped: numberIn(classes[CLASSES.default], "dropped"),
  };
}

interface ClassCounts {
  readonly octets: number;
  readonly dropped: number;
}

/** By class id. */
export function classesIn(tc: string): Readonly<Record<string, ClassCounts>> {
  const found = tc.matchAll(/^class htb (\S+) .*\n\s*Sent (\d+) bytes \d+ pkt \(dropped (\d+),/gm);
  return Object.fromEntries(
    [...found].map(([, id = "", octets, dropped]) => [id, { octets: Number(octets), dropped: Number(dropped) }]),
  );
}

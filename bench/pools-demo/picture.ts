/** Draws a run of the demo of pools: what was reserved, used and sent over time. Pure. */
import { type LinePoint, lineChart } from "../line-chart.js";
import type { Evidence, Sample } from "./evidence.js";

/** A rate is taken over so many samples: fewer show how 20 ms packets and the looks at them beat. */
const OVER = 2;

/** Bit/s between samples, from octets that grow; a counter that began anew gives no point. */
export function throughput(samples: readonly Sample[], octets: "poolOctets" | "linkOctets"): readonly LinePoint[] {
  return samples.flatMap((sample, index) => {
    const before = samples[index - OVER];
    if (before === undefined || sample[octets] < before[octets] || sample.ms <= before.ms) return [];
    const rate = (8000 * (sample[octets] - before[octets])) / (sample.ms - before.ms);
    return [{ at: sample.ms / 1000, value: rate }];
  });
}

export function drawPools({ samples, moments }: Evidence, command: string): string {
  const line = (label: string, points: readonly LinePoint[], unit: number, steps: boolean) => ({
    label,
    steps,
    points: points.map(({ at, value }) => ({ at, value: value / unit })),
  });
  const of = (key: "reserved" | "used"): readonly LinePoint[] =>
    samples.map((sample) => ({ at: sample.ms / 1000, value: sample[key] }));
  return lineChart(
    "A pool for five calls, and for a sixth",
    `Layer 2, from R1 into the tunnel to R2; sampled every 250 ms. ${command}`,
    [
      {
        title: "the pool, kbit/s",
        height: 220,
        lines: [
          line("reserved", of("reserved"), 1000, true),
          line("used, as admission counts", of("used"), 1000, true),
          line("sent through its HTB class", throughput(samples, "poolOctets"), 1000, false),
        ],
      },
      {
        title: "the core link with the flood, Mbit/s",
        height: 90,
        lines: [line("sent, all classes", throughput(samples, "linkOctets"), 1e6, false)],
      },
    ],
    moments.map(({ ms, what }) => ({ at: ms / 1000, label: what })),
  );
}

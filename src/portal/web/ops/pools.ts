/** Pools and links over time. */
import type { ApiClient } from "../api/client.js";
import { el, fill } from "../dom/element.js";
import { formatRate } from "../dom/format.js";
import { createLinePlot, type LinePlot } from "../plot/line-plot.js";
import { type OpsPast, PAST, type PoolPast } from "./feed-state.js";
import { section } from "./section.js";

/** A page of more plots than this is read by nobody. */
const SHOWN_MAX = 24;

interface Shown {
  readonly plot: LinePlot;
  readonly past: PoolPast;
}

/** Each pool over the last while. */
export function poolsSection(api: ApiClient, past: OpsPast) {
  const grid = el("div", { class: "plots" });
  const shown = new Map<string, Shown>();
  const seeded = new Set<string>();
  return {
    element: section("pools-title", "Pools and links", grid),
    show: (pools: readonly PoolPast[], now: number): void => {
      const plots = pools.slice(0, SHOWN_MAX).map((pool) => {
        const key = `${pool.host} ${pool.pool.name}`;
        if (!seeded.has(key)) {
          seeded.add(key);
          void seed(api, past, pool, now);
        }
        const known = shown.get(key);
        // A pool whose past was fetched has other series than before.
        const current = known?.past.used === pool.used ? known : { plot: plotOf(pool), past: pool };
        shown.set(key, current);
        current.plot.draw(now);
        return current.plot.element;
      });
      if (plots.length !== grid.children.length || plots.some((plot, index) => plot !== grid.children[index])) {
        fill(grid, ...plots);
      }
    },
  };
}

function plotOf({ host, pool, isLink, used, reserved }: PoolPast): LinePlot {
  return createLinePlot({
    title: `${isLink ? "Link" : "Pool"} ${pool.name} of ${host}`,
    span: PAST,
    atLeast: 1000,
    format: (value) => (value === undefined ? "–" : formatRate(value)),
    lines: [
      { label: "Used", look: "assured", series: used },
      { label: "Size", look: "effort", series: reserved },
    ],
  });
}

/** Not every role keeps the past of its pools: then the plot begins now. */
async function seed(api: ApiClient, past: OpsPast, { host, pool }: PoolPast, now: number): Promise<void> {
  try {
    const { points } = await api.series(host, pool.name, now - PAST);
    past.seed(
      host,
      pool.name,
      points.map(({ at, used, reserved }) => ({ at, used: used.mean, reserved })),
    );
  } catch {
    return;
  }
}

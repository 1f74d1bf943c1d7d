/** Reads every pool once a second: for its past, and for warnings. Thin. */
import type { Clock, Timer } from "../../model/clock.js";
import { type BitsPerSecond, bitsPerSecond, millis } from "../../model/units.js";
import type { AdmissionLedger, PoolUse } from "../ledger.js";
import type { PoolKeeper } from "./pool-keeper.js";
import type { PoolSeries } from "./pool-series.js";
import type { PoolWatch } from "./pool-watch.js";
import type { PoolTally } from "./pool-watch-tally.js";

export interface PoolRecorderOptions {
  readonly ledger: Pick<AdmissionLedger, "view">;
  readonly keeper: Pick<PoolKeeper, "view">;
  readonly tally: PoolTally;
  readonly series: PoolSeries;
  readonly watch: PoolWatch;
  /** What sessions may come to use together of a pool that grows with them. Layer 2. */
  readonly most: (use: PoolUse) => BitsPerSecond;
  readonly clock: Clock;
}

const EVERY_MS = 1000;

export class PoolRecorder {
  readonly #options: PoolRecorderOptions;
  #timer: Timer | undefined;

  constructor(options: PoolRecorderOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock } = this.#options;
    const untilNext = EVERY_MS - (clock.now() % EVERY_MS);
    this.#timer = clock.after(millis(untilNext), () => {
      this.start();
      this.record();
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** One reading of all pools, now. */
  record(): void {
    const { ledger, keeper, tally, series, watch, most, clock } = this.#options;
    const at = clock.now();
    const kept = new Map(keeper.view().map((view) => [view.name, view.reserved]));
    const counts = tally.take();
    for (const use of ledger.view()) {
      const { name: pool, rate: room } = use;
      const used = bitsPerSecond(Math.max(use.usedUp, use.usedDown));
      const refused = counts.refused.get(pool) ?? 0;
      const shed = counts.shed.get(pool) ?? 0;
      series.put(pool, { used, reserved: kept.get(pool) ?? room, refused }, at);
      watch.look({ pool, used, room, most: () => most(use), refused, shed }, at);
    }
  }
}

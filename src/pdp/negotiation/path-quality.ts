/** What paths are measured to give: looked at before a need is promised. */
import type { FlowDirection } from "../../model/flow.js";
import type { PathQuality } from "../../model/quality.js";

export interface PathQualitySource {
  /**
   * What the path of a pool gives now; undefined if nobody measures it, or if the last figures are too old to count.
   * @param direction - of the packets, as the access network of this server has it: `up` leaves it, whichever of the
   * pool's communities it is
   */
  of(pool: string, direction: FlowDirection): PathQuality | undefined;
}

/** Nobody measures. */
export const NO_MEASUREMENT: PathQualitySource = { of: () => undefined };

/** Asks once for each way: what holds for all flows of a plan. */
export function askedOnce(source: PathQualitySource): PathQualitySource {
  const known = new Map<string, PathQuality | undefined>();
  return {
    of: (pool, direction) => {
      const way = `${direction} ${pool}`;
      if (!known.has(way)) known.set(way, source.of(pool, direction));
      return known.get(way);
    },
  };
}

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

/** The tree that an interface will have once it was made as wanted: for telling what comes after, without doing it. Pure. */
import type { Octets } from "../../model/units.js";
import { classHandle, type ObservedTree, ticksOf } from "./difference.js";
import { TC_ROOT } from "./observed.js";
import type { ClassSpec } from "./tree.js";

const NOTHING_SENT = { packets: 0, octets: 0 as Octets, dropped: 0, backlog: 0 as Octets };
/** What `leafText` asks of cake. */
const CAKE = { shaper: 0, diffserv: 3 };

export function madeTree(specs: readonly ClassSpec[]): ObservedTree {
  return {
    present: true,
    classes: specs.map(({ leaf: _leaf, minor, parent, burst, ceilBurst, ...spec }) => ({
      ...spec,
      ...NOTHING_SENT,
      handle: classHandle(minor),
      parent: parent === 0 ? TC_ROOT : classHandle(parent),
      burstTicks: ticksOf(burst, spec.rate),
      ceilBurstTicks: ticksOf(ceilBurst, spec.ceil),
    })),
    leaves: specs.flatMap(({ leaf, minor }) =>
      leaf === undefined ? [] : [{ ...CAKE, ...leaf, interfaceIndex: 0, handle: 0, parent: classHandle(minor) }],
    ),
  };
}

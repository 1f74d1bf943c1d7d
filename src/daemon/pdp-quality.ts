/** The paths that a policy server has its router measure, and what is known of them. */
import type { PdpConfig } from "../config/pdp.js";
import { dscpOf } from "../model/phb.js";
import { measuredPools } from "../pdp/quality/measured-pools.js";
import { PathQualities } from "../pdp/quality/path-qualities.js";
import type { RouterLinkOptions } from "../pdp/router/router-link.js";
import type { RoleContext } from "./role.js";

export interface Measurements {
  readonly qualities: PathQualities;
  /** What the router is told, and what becomes of its reports. */
  readonly router: Pick<RouterLinkOptions, "probes" | "onPathQuality">;
}

export function openMeasurements({ config, clock }: Pick<RoleContext<PdpConfig>, "config" | "clock">): Measurements {
  const { port, every, window, staleAfter } = config.quality;
  const probes = measuredPools({
    pools: config.pools,
    communities: config.communities,
    classes: config.classes.map(({ name, phb }) => ({ name, dscp: dscpOf(phb) })),
    router: config.access.router,
    port,
    every,
  });
  const pools = probes.map(({ pool, name }) => ({ id: pool, name }));
  const qualities = new PathQualities({ pools, window, staleAfter, clock });
  return { qualities, router: { probes, onPathQuality: (reports) => qualities.report(reports) } };
}

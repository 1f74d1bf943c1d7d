/** What a policy server shows of its communities. */
import type { PdpConfig } from "../config/pdp.js";
import type { CommunityView } from "../control/views.js";
import type { AdmissionLedger } from "../pdp/ledger.js";

export interface CommunityParts {
  readonly config: Pick<PdpConfig, "communities" | "pools" | "access">;
  readonly ledger: Pick<AdmissionLedger, "holders">;
}

export function communities({ config, ledger }: CommunityParts): readonly CommunityView[] {
  const found = poolsByEnd(config);
  return config.communities.map(({ name, prefixes, domains, router, edge }) => {
    const pools = found.get(name) ?? [];
    const sessions = new Set(pools.flatMap((pool) => [...ledger.holders(pool.name).keys()]));
    return {
      name,
      prefixes,
      domains,
      router,
      ...(edge === undefined ? {} : { edge }),
      own: router === config.access.router,
      pools,
      sessions: sessions.size,
    };
  });
}

type PoolTo = CommunityView["pools"][number];

function poolsByEnd({ pools }: Pick<PdpConfig, "pools">): ReadonlyMap<string, readonly PoolTo[]> {
  const found = new Map<string, PoolTo[]>();
  const add = (from: string, pool: PoolTo): void => {
    const known = found.get(from);
    if (known === undefined) found.set(from, [pool]);
    else known.push(pool);
  };
  for (const { name, from, to, class: serviceClass } of pools) {
    if (from === undefined || to === undefined || serviceClass === undefined) continue;
    add(from, { name, to, class: serviceClass });
    add(to, { name, to: from, class: serviceClass });
  }
  return found;
}

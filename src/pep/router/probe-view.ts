/** From provisioning instances to the measurements between edges. */
import { pib } from "../../cops/pr/pib/index.js";
import type { RowOf } from "../../cops/pr/prc.js";
import type { PriTransaction } from "../../cops/pr/pri-store.js";
import type { PriView } from "../../cops/pr/pri-view.js";
import { addressFromBytes } from "../../model/ip.js";
import { dscp, millis } from "../../model/units.js";
import { poolNamed, readPools } from "./flow-view.js";
import type { WantedProbe } from "./probes.js";

/** A sluiceProbe row as it is carried out. */
export interface ProvisionedProbe {
  /** Of the row. */
  readonly instance: number;
  readonly row: RowOf<typeof pib.sluiceProbe>;
  readonly wanted: WantedProbe;
}

/** Every measurement, or why one cannot be made. */
export function readProbes(view: PriView): readonly ProvisionedProbe[] | string {
  const pools = readPools(view);
  const found = new Map<number, ProvisionedProbe>();
  for (const [instance, row] of view.rows(pib.sluiceProbe)) {
    const fail = (text: string): string => `probe ${instance}: ${text}`;
    const pool = poolNamed(view, pools, row.pool);
    if (pool === undefined) return fail("its pool has no queue with a rate");
    if (found.has(pool)) return fail(`pool ${pool} has another measurement`);
    if (row.remoteAddr.length !== (row.addrType === "ipv4" ? 4 : 16)) return fail("the address has the wrong length");
    const remote = addressFromBytes(row.remoteAddr);
    const { remotePort: port, interval } = row;
    found.set(pool, {
      instance,
      row,
      wanted: { pool, remote, port, dscp: dscp(row.dscp), interval: millis(interval) },
    });
  }
  return [...found.values()];
}

const CONCERNED = new Set([pib.sluiceProbe, pib.sluicePool].map((prc) => prc.entry));

/** Whether a transaction may change what is measured. */
export const touchesProbes = ({ changes }: Pick<PriTransaction, "changes">): boolean =>
  changes.some(({ pri }) => CONCERNED.has(pri.prc.entry));

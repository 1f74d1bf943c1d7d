/** From provisioning instances to the reservations that the network is asked for. */
import { type Prid, ZERO_OID } from "../../cops/pr/oid.js";
import { pib } from "../../cops/pr/pib/index.js";
import type { RowOf } from "../../cops/pr/prc.js";
import type { PriTransaction } from "../../cops/pr/pri-store.js";
import type { PriView } from "../../cops/pr/pri-view.js";
import { addressFromBytes, type IpAddress } from "../../model/ip.js";
import { OUTER_PROTOCOL } from "../../model/tunnel.js";
import { dscp, kilobitsPerSecond, octets } from "../../model/units.js";
import type { OuterFlow, WantedAggregate } from "./aggregates.js";
import { poolNamed, readPools } from "./flow-view.js";

/** A sluiceAggregate row as it is carried out. */
export interface ProvisionedAggregate {
  /** Of the row. */
  readonly instance: number;
  readonly row: RowOf<typeof pib.sluiceAggregate>;
  readonly wanted: WantedAggregate;
}

/** Every aggregate, or why one cannot be reserved. */
export function readAggregates(view: PriView): readonly ProvisionedAggregate[] | string {
  const pools = readPools(view);
  const found = new Map<number, ProvisionedAggregate>();
  for (const [instance, row] of view.rows(pib.sluiceAggregate)) {
    const fail = (text: string): string => `aggregate ${instance}: ${text}`;
    const pool = poolNamed(view, pools, row.pool);
    if (pool === undefined) return fail("its pool has no queue with a rate");
    if (found.has(pool)) return fail(`pool ${pool} has another aggregate`);
    const remote = addressOf(row);
    if (remote === undefined) return fail("the address has the wrong length");
    const tunnel = row.tunnel === ZERO_OID ? undefined : outerFlow(view, row.tunnel, remote);
    if (typeof tunnel === "string") return fail(tunnel);
    found.set(pool, {
      instance,
      row,
      wanted: {
        pool,
        remote,
        dscp: dscp(row.dscp),
        rate: kilobitsPerSecond(row.rate),
        burst: octets(row.burstSize),
        packetSize: octets(row.packetSize),
        request: row.request,
        ...(row.ceiling === 0 ? {} : { ceiling: kilobitsPerSecond(row.ceiling) }),
        ...(tunnel === undefined ? {} : { tunnel }),
      },
    });
  }
  return [...found.values()];
}

function addressOf({ addrType, remoteAddr }: RowOf<typeof pib.sluiceAggregate>): IpAddress | undefined {
  return remoteAddr.length === (addrType === "ipv4" ? 4 : 16) ? addressFromBytes(remoteAddr) : undefined;
}

/** What a tunnel's packets look like to the network, or why nothing can be reserved for it. */
function outerFlow(view: PriView, prid: Prid, remote: IpAddress): OuterFlow | string {
  const row = view.follow(pib.sluiceTunnel, prid)?.row;
  if (row === undefined) return "its tunnel is not known";
  const { kind, addrType, localAddr, remoteAddr, sourcePort, destinationPort } = row;
  const family = addrType === "ipv4" ? 4 : 6;
  const length = family === 4 ? 4 : 16;
  if (localAddr.length !== length || remoteAddr.length !== length) return "its tunnel's address has the wrong length";
  if (addressFromBytes(remoteAddr) !== remote) return "its tunnel goes to another edge";
  return {
    protocol: OUTER_PROTOCOL[kind][family],
    local: addressFromBytes(localAddr),
    sourcePort,
    destinationPort,
  };
}

const CONCERNED = new Set([pib.sluiceAggregate, pib.sluicePool, pib.sluiceTunnel].map((prc) => prc.entry));

/** Whether a transaction may change what is to be reserved. */
export const touchesAggregates = ({ changes }: Pick<PriTransaction, "changes">): boolean =>
  changes.some(({ pri }) => CONCERNED.has(pri.prc.entry));

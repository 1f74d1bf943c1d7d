/** The hosts of the lab that scripts/netns-lab.sh builds, and who has which address. */
import type { IpAddress } from "../model/ip.js";
import type { LadderHost } from "../model/ladder.js";

export interface LabHost {
  readonly host: LadderHost;
  /** Without the lab's prefix; also the name of the role's configuration, socket and log. */
  readonly namespace: string;
  readonly addresses: readonly IpAddress[];
}

export const LAB_HOSTS: readonly LabHost[] = [
  { host: "UAC", namespace: "uac", addresses: ["10.1.0.10", "fd01::10"] },
  { host: "SIP1", namespace: "sip1", addresses: ["10.1.0.5", "fd01::5"] },
  { host: "POL1", namespace: "pol1", addresses: ["10.1.0.6", "fd01::6"] },
  { host: "R1", namespace: "r1", addresses: ["10.1.0.1", "fd01::1", "10.2.0.1", "fd02::1"] },
  { host: "CH", namespace: "ch", addresses: ["10.4.0.7", "fd04::7"] },
  {
    host: "R2",
    namespace: "r2",
    addresses: ["10.3.0.1", "fd03::1", "10.2.0.2", "fd02::2", "10.4.0.1", "fd04::1"],
  },
  { host: "POL2", namespace: "pol2", addresses: ["10.3.0.6", "fd03::6"] },
  { host: "SIP2", namespace: "sip2", addresses: ["10.3.0.5", "fd03::5"] },
  { host: "UAS", namespace: "uas", addresses: ["10.3.0.10", "fd03::10"] },
];

const BY_ADDRESS = new Map(LAB_HOSTS.flatMap(({ host, addresses }) => addresses.map((address) => [address, host])));

/** The host that has an address, or undefined for a stranger. */
export const hostOf = (address: IpAddress): LadderHost | undefined => BY_ADDRESS.get(address);

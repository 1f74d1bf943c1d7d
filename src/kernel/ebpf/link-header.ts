/** What a device's packets begin with, as the program has to know it. */
import type { LinkHeader } from "./bpf-program.js";

/** linux/if_arp.h: Ethernet and what looks like it (VLAN, bridge, veth, VXLAN), PPP, and none (tun, WireGuard). */
const HEADERS: ReadonlyMap<number, LinkHeader> = new Map([
  [1, 14],
  [512, 0],
  [65_534, 0],
]);

/** Undefined for a type that the program cannot look into. */
export const linkHeaderOf = (linkType: number): LinkHeader | undefined => HEADERS.get(linkType);

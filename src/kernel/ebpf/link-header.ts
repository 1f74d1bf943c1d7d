/** What a device's packets begin with, as the program has to know it. */
import { readFileSync } from "node:fs";
import type { LinkHeader } from "./bpf-program.js";

/** linux/if_arp.h: Ethernet and what looks like it (VLAN, bridge, veth, VXLAN), PPP, and none (tun, WireGuard). */
const HEADERS: ReadonlyMap<number, LinkHeader> = new Map([
  [1, 14],
  [512, 0],
  [65_534, 0],
]);

/** The hardware type of an interface, linux/if_arp.h; undefined if it is not there. */
export type LinkTypeReader = (name: string) => number | undefined;

/** @param sys where sysfs is mounted for this network namespace. */
export const linkTypesIn =
  (sys: string): LinkTypeReader =>
  (name) => {
    try {
      const type = Number.parseInt(readFileSync(`${sys}/class/net/${name}/type`, "utf8"), 10);
      return Number.isNaN(type) ? undefined : type;
    } catch {
      return undefined;
    }
  };

/** Undefined for a type that the program cannot look into. */
export const linkHeaderOf = (type: number): LinkHeader | undefined => HEADERS.get(type);

/** What rtnetlink tells everybody about where packets go: links, addresses, routes, routing rules. Decoding is pure. */
import { addressFromBytes, type IpPrefix } from "../../model/ip.js";
import type { NetlinkAgent } from "./agent/agent.js";
import { EventGroups, type EventListener } from "./event-groups.js";
import type { NetlinkMessage } from "./message.js";
import { findAttribute, readAttributes, sized } from "./octets.js";

/** linux/rtnetlink.h; neighbours are left out: who answers on a link does not change the way. */
const GROUPS = { link: 1, ipv4Address: 5, ipv4Route: 7, ipv4Rule: 8, ipv6Address: 9, ipv6Route: 11, ipv6Rule: 19 };
const LINK_TYPES: ReadonlySet<number> = new Set([16, 17]);
const ADDRESS_TYPES: ReadonlySet<number> = new Set([20, 21]);
const ROUTE_TYPES: ReadonlySet<number> = new Set([24, 25]);
const RULE_TYPES: ReadonlySet<number> = new Set([32, 33]);
/** Of `rtmsg` and of `fib_rule_hdr` alike: the first octet is the family, the second the length of the destination. */
const HEADER = 12;
const RTA_DST = 1;
/** Octets of an address by the number of its family, linux/socket.h. */
const ADDRESS_SIZE: Readonly<Record<number, 4 | 16>> = { 2: 4, 10: 16 };

export type NetworkEvent =
  /** Of links and addresses. */
  | { readonly kind: "interfaces" }
  /** Only ways to addresses in the prefix may be others than before. */
  | { readonly kind: "routes"; readonly to: IpPrefix };

/** Undefined for what is neither. @throws DecodeError if a length does not fit. */
export function readNetworkEvent({ type, body }: NetlinkMessage): NetworkEvent | undefined {
  if (LINK_TYPES.has(type) || ADDRESS_TYPES.has(type)) return { kind: "interfaces" };
  if (RULE_TYPES.has(type)) return waysTo(sized(body, HEADER, "routing rule"), undefined);
  if (!ROUTE_TYPES.has(type)) return undefined;
  const attributes = readAttributes(sized(body, HEADER, "route").subarray(HEADER), "route");
  return waysTo(body, findAttribute(attributes, RTA_DST));
}

/** @param destination - absent: all addresses of the family, as for a default route. */
function waysTo(header: Buffer, destination: Buffer | undefined): NetworkEvent | undefined {
  const size = ADDRESS_SIZE[header[0] ?? 0];
  if (size === undefined) return undefined;
  if (destination === undefined) {
    return { kind: "routes", to: { address: addressFromBytes(Buffer.alloc(size)), length: 0 } };
  }
  const address = addressFromBytes(sized(destination, size, "route destination").subarray(0, size));
  return { kind: "routes", to: { address, length: header[1] ?? 0 } };
}

export class NetworkEvents extends EventGroups<NetworkEvent> {
  constructor(agent: Pick<NetlinkAgent, "open">, listener: EventListener<NetworkEvent>) {
    super(agent, { groups: Object.values(GROUPS), read: readNetworkEvent }, listener);
  }
}

/** What rtnetlink tells everybody about links, qdiscs and classes. Decoding is pure; `RoutingEvents` listens. */
import type { NetlinkAgent } from "./agent/agent.js";
import { EventGroups, type EventListener } from "./event-groups.js";
import type { NetlinkMessage } from "./message.js";
import { findAttribute, hostI32, readAttributes, sized, textOf } from "./octets.js";

const GROUP = { link: 1, queueing: 4 } as const;
const TYPE = { newLink: 16, deleteLink: 17 } as const;
/** New and deleted qdiscs and classes. */
const QUEUEING_TYPES: ReadonlySet<number> = new Set([36, 37, 40, 41]);
const LINK_HEADER = 16;
const INDEX_AT = 4;
const IFLA_IFNAME = 3;
/** Messages of another family (bridge ports, say) are not about the link itself. */
const FAMILY_ANY = 0;

interface EventSource {
  /** Netlink port of the socket that asked for the change; 0: the kernel itself. A tool's is its process id. */
  readonly port: number;
  readonly index: number;
}

export type RoutingEvent =
  | (EventSource & { readonly kind: "link"; readonly name: string; readonly gone: boolean })
  | (EventSource & { readonly kind: "queueing" });

/** Undefined for what is neither. @throws DecodeError if a length does not fit. */
export function readRoutingEvent(message: NetlinkMessage): RoutingEvent | undefined {
  const { type, body, port } = message;
  if (QUEUEING_TYPES.has(type)) return { kind: "queueing", port, index: hostI32(sized(body, 8, "queueing"), INDEX_AT) };
  if (type !== TYPE.newLink && type !== TYPE.deleteLink) return undefined;
  sized(body, LINK_HEADER, "link");
  if (body[0] !== FAMILY_ANY) return undefined;
  const name = findAttribute(readAttributes(body.subarray(LINK_HEADER), "link"), IFLA_IFNAME);
  const gone = type === TYPE.deleteLink;
  return { kind: "link", port, index: hostI32(body, INDEX_AT), name: textOf(name ?? Buffer.alloc(0)), gone };
}

export type RoutingListener = EventListener<RoutingEvent>;

export class RoutingEvents extends EventGroups<RoutingEvent> {
  constructor(agent: Pick<NetlinkAgent, "open">, listener: RoutingListener) {
    super(agent, { groups: [GROUP.link, GROUP.queueing], read: readRoutingEvent }, listener);
  }
}

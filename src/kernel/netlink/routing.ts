/** rtnetlink's dumps: links, qdiscs, classes. Reads only; `tc` changes. */
import type { Clock } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import type { NetlinkAgent } from "./agent/agent.js";
import { errnoName, FLAG, isInterrupted, replyErrno, writeMessage } from "./message.js";
import { findAttribute, hostI32, hostU16, hostU32, OctetWriter, readAttributes, sized, textOf } from "./octets.js";
import { NetlinkSocket, PROTOCOL, readAgain } from "./socket.js";

const TYPE = {
  newLink: 16,
  getLink: 18,
  newQdisc: 36,
  getQdisc: 38,
  newClass: 40,
  getClass: 42,
  newFilter: 44,
  getFilter: 46,
} as const;
const DUMP_ATTEMPTS = 3;
const LINK_HEADER = 16;
const TC_HEADER = 20;
const IFLA = { name: 3, mtu: 4, parentDevice: 56 } as const;
/** What the kernel has for a device that tells none. */
const ETHERNET_MTU = 1500;

/** A network device of this namespace. */
export interface NetDevice {
  readonly index: number;
  readonly name: string;
  /** What its packets begin with, linux/if_arp.h: 1 Ethernet, 512 PPP, 65534 nothing … */
  readonly linkType: number;
  /** Octets at layer 3. */
  readonly mtu: number;
  /** Whether a bus device is behind it (Linux 5.14 or later tells); veth, tunnels, bridges and VLANs have none. */
  readonly hardware: boolean;
}

function readDevice(body: Buffer): NetDevice {
  sized(body, LINK_HEADER, "link");
  const attributes = readAttributes(body.subarray(LINK_HEADER), "link");
  const mtu = findAttribute(attributes, IFLA.mtu);
  return {
    linkType: hostU16(body, 2),
    index: hostI32(body, 4),
    name: textOf(findAttribute(attributes, IFLA.name) ?? Buffer.alloc(0)),
    mtu: mtu === undefined ? ETHERNET_MTU : hostU32(sized(mtu, 4, "link mtu"), 0),
    hardware: findAttribute(attributes, IFLA.parentDevice) !== undefined,
  };
}

export class Routing {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** @throws KernelError KERNEL_NETLINK if there is no such socket to be had. */
  static async open(agent: NetlinkAgent, clock: Clock): Promise<Routing> {
    return new Routing(await NetlinkSocket.open(agent, { protocol: PROTOCOL.route, clock }));
  }

  async devices(): Promise<readonly NetDevice[]> {
    const bodies = await this.#dump("list interfaces", TYPE.getLink, TYPE.newLink, LINK_HEADER, 0);
    return bodies.map(readDevice);
  }

  /** Bodies of all qdiscs of all interfaces. */
  qdiscs(): Promise<readonly Buffer[]> {
    return this.#dump("list qdiscs", TYPE.getQdisc, TYPE.newQdisc, TC_HEADER, 0);
  }

  /** Bodies of all classes of one interface. */
  classes(interfaceIndex: number): Promise<readonly Buffer[]> {
    return this.#dump("list classes", TYPE.getClass, TYPE.newClass, TC_HEADER, interfaceIndex);
  }

  /** Bodies of all filters at one qdisc of one interface. */
  filters(interfaceIndex: number, parent: number): Promise<readonly Buffer[]> {
    return this.#dump("list filters", TYPE.getFilter, TYPE.newFilter, TC_HEADER, interfaceIndex, parent);
  }

  close(): void {
    this.#socket.close();
  }

  /** Made again where something changed while it was told; the last of a few attempts is taken as it is. */
  async #dump(
    operation: string,
    type: number,
    answer: number,
    header: number,
    index: number,
    parent = 0,
  ): Promise<Buffer[]> {
    for (let attempt = 1; ; attempt++) {
      const { bodies, consistent } = await readAgain(() =>
        this.#dumpOnce(operation, type, answer, header, index, parent),
      );
      if (consistent || attempt >= DUMP_ATTEMPTS) return bodies;
    }
  }

  async #dumpOnce(
    operation: string,
    type: number,
    answer: number,
    header: number,
    index: number,
    parent: number,
  ): Promise<{ readonly bodies: Buffer[]; readonly consistent: boolean }> {
    const first = this.#socket.sequences(1);
    const writer = new OctetWriter(64);
    writeMessage(writer, { type, flags: FLAG.request | FLAG.dump, sequence: first }, () => {
      const at = writer.reserve(header);
      writer.u32At(at + 4, index);
      if (parent !== 0) writer.u32At(at + 12, parent);
    });
    const bodies: Buffer[] = [];
    let errno = 0;
    let consistent = true;
    return this.#socket.request({
      operation,
      octets: writer.finish(),
      first,
      count: 1,
      room: "alone",
      take: (message) => {
        const reply = replyErrno(message);
        if (reply === undefined && message.type === answer) bodies.push(message.body);
        if (isInterrupted(message)) consistent = false;
        errno = reply ?? errno;
        return reply !== undefined;
      },
      finish: () => {
        if (errno === 0) return { bodies, consistent };
        const detail = { operation, errno: errnoName(errno) };
        throw new KernelError("KERNEL_REFUSED", `the kernel refused to ${operation}: ${detail.errno}`, detail);
      },
    });
  }
}

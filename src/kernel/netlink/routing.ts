/** rtnetlink's dumps: links, qdiscs, classes. Reads only; `tc` changes. */
import type { Clock } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import { errnoName, FLAG, replyErrno, writeMessage } from "./message.js";
import { findAttribute, hostI32, OctetWriter, readAttributes, sized, textOf } from "./octets.js";
import { NetlinkSocket, PROTOCOL } from "./socket.js";

const TYPE = { newLink: 16, getLink: 18, newQdisc: 36, getQdisc: 38, newClass: 40, getClass: 42 } as const;
const LINK_HEADER = 16;
const TC_HEADER = 20;
const IFLA_IFNAME = 3;

export class Routing {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  static async open(clock: Clock): Promise<Routing> {
    return new Routing(await NetlinkSocket.open(PROTOCOL.route, clock));
  }

  /** Interface names by index. */
  async links(): Promise<ReadonlyMap<number, string>> {
    const bodies = await this.#dump("list interfaces", TYPE.getLink, TYPE.newLink, LINK_HEADER, 0);
    return new Map(
      bodies.map((body) => {
        sized(body, LINK_HEADER, "link");
        const name = findAttribute(readAttributes(body.subarray(LINK_HEADER), "link"), IFLA_IFNAME);
        return [hostI32(body, 4), textOf(name ?? Buffer.alloc(0))];
      }),
    );
  }

  /** Bodies of all qdiscs of all interfaces. */
  qdiscs(): Promise<readonly Buffer[]> {
    return this.#dump("list qdiscs", TYPE.getQdisc, TYPE.newQdisc, TC_HEADER, 0);
  }

  /** Bodies of all classes of one interface. */
  classes(interfaceIndex: number): Promise<readonly Buffer[]> {
    return this.#dump("list classes", TYPE.getClass, TYPE.newClass, TC_HEADER, interfaceIndex);
  }

  close(): void {
    this.#socket.close();
  }

  async #dump(operation: string, type: number, answer: number, header: number, index: number): Promise<Buffer[]> {
    const sequence = this.#socket.sequences(1);
    const writer = new OctetWriter(64);
    writeMessage(writer, { type, flags: FLAG.request | FLAG.dump, sequence }, () => {
      const at = writer.reserve(header);
      writer.u32At(at + 4, index);
    });
    const answers = await this.#socket.request({
      operation,
      octets: writer.finish(),
      firstSequence: sequence,
      isLast: (message) => replyErrno(message) !== undefined,
    });
    const errno = answers.map(replyErrno).find((reply) => reply !== undefined && reply !== 0);
    if (errno !== undefined) {
      const detail = { operation, errno: errnoName(errno) };
      throw new KernelError("KERNEL_REFUSED", `the kernel refused to ${operation}: ${detail.errno}`, detail);
    }
    return answers.filter((message) => message.type === answer).map((message) => message.body);
  }
}

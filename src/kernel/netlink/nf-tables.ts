/** The elements of one table's sets: transactions, dumps, single readings, and the generation of the ruleset. */
import type { Clock } from "../../model/clock.js";
import type { NetlinkAgent } from "./agent/agent.js";
import { errnoName, FLAG, isInterrupted, type NetlinkMessage, replyErrno, writeMessage } from "./message.js";
import {
  ATTRIBUTE_HEADER,
  attributeEnd,
  findAttribute,
  findAttributeAt,
  nextAttribute,
  OctetWriter,
  readAttributes,
  sized,
  textOf,
} from "./octets.js";
import { readElement, type SetElement, writeElement } from "./set-element.js";
import { NetlinkSocket, PROTOCOL, readAgain } from "./socket.js";
import {
  ANSWER_ROOM,
  ATTRIBUTE,
  ECHO_ROOM,
  type ElementChange,
  encodeTransaction,
  FAMILY_INET,
  GENERIC_HEADER,
  PACK,
  refusal,
  refusalOf,
  roomFor,
  TYPE,
  transactionMessages,
  writeGenericHeader,
} from "./transaction.js";

export type { ElementChange } from "./transaction.js";

const GENERATION_ID = 1;
/** Readings of a set in the hope of one that no commit fell into. */
const DUMP_ATTEMPTS = 3;

export interface EchoedElement {
  readonly set: string;
  readonly element: SetElement;
}

/** The ruleset's number, which every commit by anybody raises by one, and our own commits up to that moment. */
export interface Generation {
  readonly id: number;
  readonly commits: number;
}

export interface NfTablesOptions {
  readonly agent: NetlinkAgent;
  /** Holds the socket for dumps; `agent` by default. With one of its own, transactions hardly feel a dump. */
  readonly dumpAgent?: NetlinkAgent;
  readonly clock: Clock;
  /** Octets to ask for; smaller in tests. */
  readonly receiveBuffer?: number;
}

interface Answered<Item> {
  readonly items: Item[];
  /** False where the kernel knows no such object. */
  readonly isThere: boolean;
  /** False if a commit fell into a dump: elements may be missing, or be there twice. */
  readonly consistent: boolean;
}

interface Question<Item> {
  readonly operation: string;
  readonly type: number;
  readonly flag: number;
  readonly body: (writer: OctetWriter) => void;
  readonly answer: number;
  readonly read: (message: NetlinkMessage) => readonly Item[];
}

function elementsOf({ body }: NetlinkMessage): readonly SetElement[] {
  const elements: SetElement[] = [];
  const list = findAttributeAt(body, GENERIC_HEADER, body.length, ATTRIBUTE.elements, "nf_tables message");
  if (list < 0) return elements;
  const end = attributeEnd(body, list, body.length, "element list");
  for (let at = list + ATTRIBUTE_HEADER; end - at >= ATTRIBUTE_HEADER; at = nextAttribute(body, at)) {
    const stop = attributeEnd(body, at, end, "element list");
    elements.push(readElement(body, at + ATTRIBUTE_HEADER, stop));
  }
  return elements;
}

function echoesOf(message: NetlinkMessage): readonly EchoedElement[] {
  const attributes = readAttributes(message.body.subarray(GENERIC_HEADER), "nf_tables message");
  const set = textOf(findAttribute(attributes, ATTRIBUTE.set) ?? Buffer.alloc(0));
  return elementsOf(message).map((element) => ({ set, element }));
}

/** Two sockets: a dump takes long, and transactions do not wait for it. */
export class NfTables {
  readonly #transactions: NetlinkSocket;
  readonly #dumps: NetlinkSocket;
  readonly #table: string;
  #commits = 0;

  private constructor(transactions: NetlinkSocket, dumps: NetlinkSocket, table: string) {
    this.#transactions = transactions;
    this.#dumps = dumps;
    this.#table = table;
  }

  /** @throws KernelError KERNEL_PERMISSION without CAP_NET_ADMIN; KERNEL_NETLINK without nf_tables. */
  static async open(table: string, options: NfTablesOptions): Promise<NfTables> {
    const { agent, dumpAgent = agent, ...rest } = options;
    const transactions = await NetlinkSocket.open(agent, { protocol: PROTOCOL.netfilter, ...rest });
    try {
      const dumps = await NetlinkSocket.open(dumpAgent, { protocol: PROTOCOL.netfilter, clock: options.clock });
      const tables = new NfTables(transactions, dumps, table);
      await tables.generation();
      return tables;
    } catch (error) {
      transactions.close();
      throw error;
    }
  }

  /** How many element changes one transaction may carry without the echo endangering the socket. */
  get transactionLimit(): number {
    return Math.max(16, Math.min(2 * PACK, Math.floor(this.#transactions.receiveBuffer / ECHO_ROOM)));
  }

  /**
   * All or nothing, in the order of the calls; several may be under way.
   * Gives every deleted element as it was when it went, counters included.
   * @throws KernelError naming the refused objects and the errno; KERNEL_NETLINK_LOST if the outcome is not known.
   */
  async transact(changes: readonly ElementChange[]): Promise<readonly EchoedElement[]> {
    if (changes.length === 0) return [];
    const messages = transactionMessages(changes);
    const count = messages.length + 2;
    const first = this.#transactions.sequences(count);
    const last = first + messages.length;
    const octets = encodeTransaction(this.#table, messages, first);
    const answers: NetlinkMessage[] = [];
    return this.#transactions.request({
      operation: `transaction of ${changes.length} elements on table ${this.#table}`,
      octets,
      first,
      count,
      room: roomFor(messages, octets.length),
      // A refused batch header is the only answer; else the last message's answer comes last.
      take: (message) => {
        answers.push(message);
        const errno = replyErrno(message);
        return errno !== undefined && (message.sequence === last || message.sequence === first);
      },
      finish: () => {
        const error = refusalOf(this.#table, messages, first, answers);
        if (error !== undefined) throw error;
        this.#commits++;
        return answers.filter((answer) => answer.type === TYPE.deleteElement).flatMap(echoesOf);
      },
    });
  }

  /**
   * Every element of a set, each once; none if there is no such set.
   *
   * The kernel takes up a dump where it left off by counting elements, so each element that a commit in between removes hides
   * another, one that nobody touched. The dump is made again then; after the third such, whatever any of them found is
   * given: what went meanwhile may still be among it, but what stayed is hardly missed three times.
   */
  async dump(set: string): Promise<readonly SetElement[]> {
    const found = new Map<string, SetElement>();
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      const { items, isThere, consistent } = await this.#list(set);
      if (!isThere) return [];
      if (consistent) return items;
      for (const element of items) found.set(element.key.toString("latin1"), element);
    }
    return [...found.values()];
  }

  /** As `dump`, but nothing is kept: elements are told as they are read, in each reading again. */
  async visit(set: string, take: (element: SetElement) => void): Promise<void> {
    const tell = (message: NetlinkMessage): readonly SetElement[] => {
      elementsOf(message).forEach(take);
      return [];
    };
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      const { consistent } = await this.#list(set, tell);
      if (consistent) return;
    }
  }

  /** One element, without walking the set; undefined if it is not there. */
  async get(set: string, key: Buffer): Promise<SetElement | undefined> {
    const { items } = await this.#ask(this.#transactions, {
      operation: `read an element of ${this.#table} ${set}`,
      type: TYPE.getElement,
      flag: FLAG.ack,
      answer: TYPE.newElement,
      read: elementsOf,
      body: (writer) => {
        this.#nameSet(writer, set);
        writer.nested(ATTRIBUTE.elements, () => writeElement(writer, { key }, true));
      },
    });
    return items[0];
  }

  /** In turn with the transactions, so that the two numbers belong together. */
  async generation(): Promise<Generation> {
    const { items } = await this.#ask(this.#transactions, {
      operation: "read the generation of nf_tables",
      type: TYPE.getGeneration,
      flag: FLAG.ack,
      answer: TYPE.newGeneration,
      read: (message) => {
        const id = findAttribute(readAttributes(message.body.subarray(GENERIC_HEADER), "generation"), GENERATION_ID);
        return [{ id: sized(id ?? Buffer.alloc(0), 4, "generation").readUInt32BE(), commits: this.#commits }];
      },
      body: (writer) => writeGenericHeader(writer, 0, 0),
    });
    const [generation] = items;
    if (generation === undefined) throw refusal("to tell the generation of nf_tables", 0);
    return generation;
  }

  close(): void {
    this.#transactions.close();
    this.#dumps.close();
  }

  #nameSet(writer: OctetWriter, set: string): void {
    writeGenericHeader(writer, FAMILY_INET, 0);
    writer.text(ATTRIBUTE.table, this.#table);
    writer.text(ATTRIBUTE.set, set);
  }

  #list(set: string, read: Question<SetElement>["read"] = elementsOf): Promise<Answered<SetElement>> {
    return this.#ask(this.#dumps, {
      operation: `list ${this.#table} ${set}`,
      type: TYPE.getElement,
      flag: FLAG.dump,
      answer: TYPE.newElement,
      read,
      body: (writer) => this.#nameSet(writer, set),
    });
  }

  /** One question that changes nothing. @throws KernelError */
  #ask<Item>(socket: NetlinkSocket, question: Question<Item>): Promise<Answered<Item>> {
    return readAgain(() => this.#askOnce(socket, question));
  }

  /** Answers are read as they come. */
  #askOnce<Item>(socket: NetlinkSocket, question: Question<Item>): Promise<Answered<Item>> {
    const { operation, type, flag, body, answer, read } = question;
    const first = socket.sequences(1);
    const writer = new OctetWriter(256);
    writeMessage(writer, { type, flags: FLAG.request | flag, sequence: first }, () => body(writer));
    const items: Item[] = [];
    let errno = 0;
    let resource: number | undefined;
    let consistent = true;
    return socket.request({
      operation,
      octets: writer.finish(),
      first,
      count: 1,
      room: flag === FLAG.dump ? "alone" : 4 * ANSWER_ROOM,
      take: (message) => {
        const reply = replyErrno(message);
        if (reply !== undefined) {
          errno = reply;
          return true;
        }
        if (message.type !== answer) return false;
        // The low half of the generation stands in every part.
        const part = sized(message.body, GENERIC_HEADER, "nf_tables message").readUInt16BE(2);
        resource ??= part;
        if (resource !== part || isInterrupted(message)) consistent = false;
        for (const item of read(message)) items.push(item);
        return false;
      },
      finish: () => {
        if (errno !== 0 && errnoName(errno) !== "ENOENT") throw refusal(`to ${operation}`, errno);
        return { items, isThere: errno === 0, consistent };
      },
    });
  }
}

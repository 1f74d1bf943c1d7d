/** nf_tables' element messages: transactions, dumps, and the errors that come back. */
import type { Clock } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import { permissionError } from "../tool.js";
import { errnoName, FLAG, type NetlinkMessage, replyErrno, writeMessage } from "./message.js";
import { findAttribute, OctetWriter, readAttributes, textOf } from "./octets.js";
import { readElement, type SetElement, writeElement } from "./set-element.js";
import { NetlinkSocket, PROTOCOL } from "./socket.js";

const SUBSYSTEM = 10 << 8;
const TYPE = {
  newElement: SUBSYSTEM | 12,
  getElement: SUBSYSTEM | 13,
  deleteElement: SUBSYSTEM | 14,
  getGeneration: SUBSYSTEM | 16,
  batchBegin: 0x10,
  batchEnd: 0x11,
} as const;
const ATTRIBUTE = { table: 1, set: 2, elements: 3 } as const;
const FAMILY_INET = 1;
const GENERIC_HEADER = 4;
/** Up to this many elements each goes in a message of its own, so that an error names it. */
const SINGLE_LIMIT = 64;
/** An attribute holds 64 KiB: more than this many elements would not fit. */
const PACK = 200;
/** Octets of receive buffer to leave for the echo of one deleted element: several times what it takes. */
const ECHO_ROOM = 2048;

export interface ElementChange {
  readonly action: "create" | "delete";
  readonly set: string;
  readonly element: SetElement;
  /** For errors: what the element stands for. */
  readonly object: string;
}

interface ElementMessage {
  readonly action: ElementChange["action"];
  readonly set: string;
  readonly changes: readonly ElementChange[];
}

export interface EchoedElement {
  readonly set: string;
  readonly element: SetElement;
}

function writeGenericHeader(writer: OctetWriter, family: number, resource: number): void {
  const at = writer.reserve(GENERIC_HEADER);
  writer.u8At(at, family);
  writer.u16beAt(at + 2, resource);
}

/** Consecutive changes of one set and one kind share a message, unless there are few enough to tell apart. */
function messagesOf(changes: readonly ElementChange[]): readonly ElementMessage[] {
  const perMessage = changes.length <= SINGLE_LIMIT ? 1 : PACK;
  const open = new Map<string, ElementChange[]>();
  const messages: { action: ElementChange["action"]; set: string; changes: ElementChange[] }[] = [];
  for (const change of changes) {
    const { action, set } = change;
    const pack = open.get(`${action} ${set}`);
    if (pack !== undefined && pack.length < perMessage) {
      pack.push(change);
    } else {
      const started = [change];
      open.set(`${action} ${set}`, started);
      messages.push({ action, set, changes: started });
    }
  }
  // A key may pass from a deleted element to a created one: what goes, goes first.
  return messages.sort((left, right) => Number(left.action === "create") - Number(right.action === "create"));
}

/** The octets of a transaction; message n of `messages` has sequence `first + 1 + n`. Only the last asks for an answer. */
export function encodeTransaction(table: string, messages: readonly ElementMessage[], first: number): Buffer {
  const writer = new OctetWriter(4096);
  const frame = (type: number, sequence: number): void =>
    writeMessage(writer, { type, flags: FLAG.request, sequence }, () => writeGenericHeader(writer, 0, 10));
  frame(TYPE.batchBegin, first);
  messages.forEach((message, index) => {
    const created = message.action === "create";
    const flags =
      FLAG.request |
      (created ? FLAG.create | FLAG.exclusive : FLAG.echo) |
      (index === messages.length - 1 ? FLAG.ack : 0);
    const header = { type: created ? TYPE.newElement : TYPE.deleteElement, flags, sequence: first + 1 + index };
    writeMessage(writer, header, () => {
      writeGenericHeader(writer, FAMILY_INET, 0);
      writer.text(ATTRIBUTE.table, table);
      writer.text(ATTRIBUTE.set, message.set);
      writer.nested(ATTRIBUTE.elements, () => {
        for (const change of message.changes) writeElement(writer, change.element, !created);
      });
    });
  });
  frame(TYPE.batchEnd, first + 1 + messages.length);
  return writer.finish();
}

export const transactionMessages = messagesOf;

function elementsOf(message: NetlinkMessage): readonly EchoedElement[] {
  const attributes = readAttributes(message.body.subarray(GENERIC_HEADER), "nf_tables message");
  const set = textOf(findAttribute(attributes, ATTRIBUTE.set) ?? Buffer.alloc(0));
  const list = findAttribute(attributes, ATTRIBUTE.elements);
  if (list === undefined) return [];
  return readAttributes(list, "element list").map((entry) => ({ set, element: readElement(entry.value) }));
}

function refusal(operation: string, errno: number): KernelError {
  const detail = { operation, errno: errnoName(errno) };
  if (detail.errno === "EPERM") return permissionError(detail);
  return new KernelError("KERNEL_REFUSED", `the kernel refused ${operation}: ${detail.errno}`, detail, {
    ...(detail.errno === "ENFILE" ? { remedy: "the map is full: raise the limit of flows" } : {}),
  });
}

/** The elements of one table's sets, over one socket. */
export class NfTables {
  readonly #socket: NetlinkSocket;
  readonly #table: string;

  private constructor(socket: NetlinkSocket, table: string) {
    this.#socket = socket;
    this.#table = table;
  }

  /** @throws KernelError KERNEL_PERMISSION without CAP_NET_ADMIN. */
  static async open(table: string, clock: Clock): Promise<NfTables> {
    const socket = await NetlinkSocket.open(PROTOCOL.netfilter, clock);
    const tables = new NfTables(socket, table);
    try {
      await tables.#generation();
    } catch (error) {
      socket.close();
      throw error;
    }
    return tables;
  }

  /** How many element changes one transaction may carry without the echo endangering the socket. */
  get transactionLimit(): number {
    return Math.max(16, Math.min(2 * PACK, Math.floor(this.#socket.receiveBuffer / ECHO_ROOM)));
  }

  /**
   * All or nothing. Gives every deleted element as it was when it went, counters included.
   * @throws KernelError naming the first refused object and the errno.
   */
  async transact(changes: readonly ElementChange[]): Promise<readonly EchoedElement[]> {
    if (changes.length === 0) return [];
    const messages = messagesOf(changes);
    const first = this.#socket.sequences(messages.length + 2);
    const last = first + messages.length;
    const answers = await this.#socket.request({
      operation: `transaction of ${changes.length} elements`,
      octets: encodeTransaction(this.#table, messages, first),
      firstSequence: first,
      // A refused batch header is the only answer; else the last message's answer comes last.
      isLast: (message) =>
        replyErrno(message) !== undefined && (message.sequence === first || message.sequence === last),
    });
    const failed = answers.find((answer) => (replyErrno(answer) ?? 0) !== 0);
    if (failed !== undefined) throw this.#explain(failed, messages[failed.sequence - first - 1]);
    return answers.filter((answer) => answer.type === TYPE.deleteElement).flatMap(elementsOf);
  }

  /** Every element of a set; none if there is no such set. */
  async dump(set: string): Promise<readonly SetElement[]> {
    const { answers, isThere } = await this.#ask(`list ${this.#table} ${set}`, TYPE.getElement, FLAG.dump, (writer) => {
      writeGenericHeader(writer, FAMILY_INET, 0);
      writer.text(ATTRIBUTE.table, this.#table);
      writer.text(ATTRIBUTE.set, set);
    });
    if (!isThere) return [];
    // The kernel may hand the same element out twice when the set changes meanwhile.
    const unique = new Map<string, SetElement>();
    for (const answer of answers) {
      if (answer.type !== TYPE.newElement) continue;
      for (const { element } of elementsOf(answer)) unique.set(element.key.toString("latin1"), element);
    }
    return [...unique.values()];
  }

  /** One element, without walking the set; undefined if it is not there. */
  async get(set: string, key: Buffer): Promise<SetElement | undefined> {
    const operation = `read an element of ${this.#table} ${set}`;
    const { answers, isThere } = await this.#ask(operation, TYPE.getElement, FLAG.ack, (writer) => {
      writeGenericHeader(writer, FAMILY_INET, 0);
      writer.text(ATTRIBUTE.table, this.#table);
      writer.text(ATTRIBUTE.set, set);
      writer.nested(ATTRIBUTE.elements, () => writeElement(writer, { key }, true));
    });
    if (!isThere) return undefined;
    return answers.filter(({ type }) => type === TYPE.newElement).flatMap(elementsOf)[0]?.element;
  }

  close(): void {
    this.#socket.close();
  }

  async #generation(): Promise<void> {
    await this.#ask("read the generation of nf_tables", TYPE.getGeneration, FLAG.ack, (writer) =>
      writeGenericHeader(writer, 0, 0),
    );
  }

  /** One question that changes nothing. `isThere` is false where the kernel knows no such object. @throws KernelError */
  async #ask(
    operation: string,
    type: number,
    flag: number,
    body: (writer: OctetWriter) => void,
  ): Promise<{ readonly answers: readonly NetlinkMessage[]; readonly isThere: boolean }> {
    const sequence = this.#socket.sequences(1);
    const writer = new OctetWriter(256);
    writeMessage(writer, { type, flags: FLAG.request | flag, sequence }, () => body(writer));
    const answers = await this.#socket.request({
      operation,
      octets: writer.finish(),
      firstSequence: sequence,
      isLast: (message) => replyErrno(message) !== undefined,
    });
    const errno = answers.map(replyErrno).find((reply) => reply !== undefined && reply !== 0);
    if (errno !== undefined && errnoName(errno) !== "ENOENT") throw refusal(operation, errno);
    return { answers, isThere: errno === undefined };
  }

  #explain(answer: NetlinkMessage, message: ElementMessage | undefined): KernelError {
    const errno = replyErrno(answer) ?? 0;
    if (message === undefined) return refusal(`transaction on table ${this.#table}`, errno);
    const [only, ...others] = message.changes;
    const object =
      only !== undefined && others.length === 0 ? only.object : `one of ${message.changes.length} elements`;
    return refusal(`${message.action} ${object} in ${this.#table} ${message.set}`, errno);
  }
}

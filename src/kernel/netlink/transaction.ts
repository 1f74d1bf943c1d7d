/** A transaction of nf_tables elements on the wire: how changes share messages, and what refusals mean. Pure. */
import { KernelError } from "../../model/errors.js";
import { permissionError } from "../tool.js";
import { errnoName, FLAG, type NetlinkMessage, replyErrno, writeMessage } from "./message.js";
import { OctetWriter } from "./octets.js";
import { type SetElement, writeElement } from "./set-element.js";

const SUBSYSTEM = 10 << 8;
export const TYPE = {
  newElement: SUBSYSTEM | 12,
  getElement: SUBSYSTEM | 13,
  deleteElement: SUBSYSTEM | 14,
  newGeneration: SUBSYSTEM | 15,
  getGeneration: SUBSYSTEM | 16,
  batchBegin: 0x10,
  batchEnd: 0x11,
} as const;
export const ATTRIBUTE = { table: 1, set: 2, elements: 3 } as const;
export const FAMILY_INET = 1;
export const GENERIC_HEADER = 4;
/** Up to this many elements each goes in a message of its own, so that an error names it. */
const SINGLE_LIMIT = 64;
/** An attribute holds 64 KiB: more than this many elements would not fit. */
export const PACK = 200;
/** Octets of receive buffer to leave for the echo of one deleted element: several times what it takes. */
export const ECHO_ROOM = 2048;
/** The same for an answer with nothing but an errno, as the kernel's allocator rounds it. */
export const ANSWER_ROOM = 2048;
/** Refused objects that an error names. */
const NAMED = 3;

export interface ElementChange {
  /** `ensure`: created if it is not there. */
  readonly action: "create" | "ensure" | "delete";
  readonly set: string;
  readonly element: SetElement;
  /** For errors: what the element stands for. */
  readonly object: string;
}

export interface ElementMessage {
  readonly action: ElementChange["action"];
  readonly set: string;
  readonly changes: readonly ElementChange[];
}

export function writeGenericHeader(writer: OctetWriter, family: number, resource: number): void {
  const at = writer.reserve(GENERIC_HEADER);
  writer.u8At(at, family);
  writer.u16beAt(at + 2, resource);
}

/** Changes of one set and one kind share a message, unless there are few enough to tell apart. */
export function transactionMessages(changes: readonly ElementChange[]): readonly ElementMessage[] {
  const perMessage = changes.length <= SINGLE_LIMIT ? 1 : PACK;
  const open = new Map<string, ElementChange[]>();
  const deletes: ElementMessage[] = [];
  const creates: ElementMessage[] = [];
  for (const change of changes) {
    const { action, set } = change;
    const pack = perMessage === 1 ? undefined : open.get(`${action} ${set}`);
    if (pack !== undefined && pack.length < perMessage) {
      pack.push(change);
      continue;
    }
    const started = [change];
    if (perMessage > 1) open.set(`${action} ${set}`, started);
    (action === "delete" ? deletes : creates).push({ action, set, changes: started });
  }
  // A key may pass from a deleted element to a created one: what goes, goes first.
  return [...deletes, ...creates];
}

/** The octets of a transaction; message n of `messages` has sequence `first + 1 + n`. Only the last asks for an answer. */
export function encodeTransaction(table: string, messages: readonly ElementMessage[], first: number): Buffer {
  const writer = new OctetWriter(4096);
  const frame = (type: number, sequence: number): void =>
    writeMessage(writer, { type, flags: FLAG.request, sequence }, () => writeGenericHeader(writer, 0, 10));
  frame(TYPE.batchBegin, first);
  messages.forEach((message, index) => {
    const created = message.action !== "delete";
    const making = FLAG.create | (message.action === "create" ? FLAG.exclusive : 0);
    const flags = FLAG.request | (created ? making : FLAG.echo) | (index === messages.length - 1 ? FLAG.ack : 0);
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

/**
 * What the answers may take in the receive buffer: an echo for each deleted element, or, if it is refused, an error for
 * each message with the message in it.
 */
export function roomFor(messages: readonly ElementMessage[], octets: number): number {
  const echoed = messages.reduce((sum, { action, changes }) => sum + (action === "delete" ? changes.length : 0), 0);
  return ANSWER_ROOM + Math.max(echoed * ECHO_ROOM, messages.length * ANSWER_ROOM + 2 * octets);
}

export function refusal(operation: string, errno: number): KernelError {
  const detail = { operation, errno: errnoName(errno) };
  if (detail.errno === "EPERM") return permissionError(detail);
  return new KernelError("KERNEL_REFUSED", `the kernel refused ${operation}: ${detail.errno}`, detail, {
    ...(detail.errno === "ENFILE" ? { remedy: "the map is full: raise the limit of flows" } : {}),
  });
}

/** Undefined if the transaction was committed. Names the objects that were refused; code and errno are the first one's. */
export function refusalOf(
  table: string,
  messages: readonly ElementMessage[],
  first: number,
  answers: readonly NetlinkMessage[],
): KernelError | undefined {
  const failed = answers.filter((answer) => (replyErrno(answer) ?? 0) !== 0);
  const [cause, ...others] = failed;
  if (cause === undefined) return undefined;
  const name = (answer: NetlinkMessage): string => describe(table, messages[answer.sequence - first - 1]);
  const error = refusal(name(cause), replyErrno(cause) ?? 0);
  if (others.length === 0) return error;
  const named = others.slice(0, NAMED - 1).map((answer) => `${name(answer)}: ${errnoName(replyErrno(answer) ?? 0)}`);
  const rest = others.length - named.length;
  const message = [error.message, ...named, ...(rest > 0 ? [`and ${rest} more`] : [])].join("; ");
  return new KernelError(error.code, message, error.detail, {
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
  });
}

function describe(table: string, message: ElementMessage | undefined): string {
  if (message === undefined) return `transaction on table ${table}`;
  const [only, ...others] = message.changes;
  const object = only !== undefined && others.length === 0 ? only.object : `one of ${message.changes.length} elements`;
  return `${message.action} ${object} in ${table} ${message.set}`;
}

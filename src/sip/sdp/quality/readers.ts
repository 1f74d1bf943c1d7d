/** Readers of the attributes that say what quality a medium needs (docs/SDP.md). */
import { MEDIA_SECURITY, type QualityNeed } from "../../../model/quality.js";
import {
  AGAIN,
  type AttributeReaders,
  type AttributeTarget,
  type Fault,
  fault,
  isParameterValue,
  isToken,
  type Part,
  partsOf,
} from "../attribute-reader.js";
import type { HintValue, QosHint } from "./description.js";
import { PRECONDITION_READERS } from "./preconditions.js";
import { JITTER, LATENCY, LOSS, RATE, readRange, readValue, type ValueKind } from "./values.js";

/** Names go into headers and records. */
const LONGEST_NAME = 64;

type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** Each reads one parameter's value into the draft. */
type ParameterReaders<T> = Readonly<Record<string, (text: string, at: number, draft: Draft<T>) => Fault | undefined>>;

const NEED_PARAMETERS: ParameterReaders<QualityNeed> = {
  latency: (text, at, draft) => put(readRange(LATENCY, text, at), (range) => (draft.latency = range)),
  jitter: (text, at, draft) => put(readRange(JITTER, text, at), (range) => (draft.jitter = range)),
  loss: (text, at, draft) => put(readRange(LOSS, text, at), (range) => (draft.loss = range)),
  rate: (text, at, draft) => put(readRange(RATE, text, at), (range) => (draft.rate = range)),
};

const HINT_PARAMETERS: ParameterReaders<QosHint> = {
  latency: (text, at, draft) => put(readHint(LATENCY, text, at), (value) => (draft.latency = value)),
  loss: (text, at, draft) => put(readHint(LOSS, text, at), (value) => (draft.loss = value)),
};

function put<T extends object>(read: T | Fault, write: (value: T) => void): Fault | undefined {
  if ("text" in read) return read;
  write(read);
  return undefined;
}

/** `600/local:400`; splits with other names are passed over. */
function readHint<Value extends number>(kind: ValueKind<Value>, text: string, at: number): HintValue<Value> | Fault {
  const [first = "", ...splits] = text.split("/");
  const whole = readValue(kind, first, at);
  if (typeof whole === "object") return whole;
  let start = at + first.length + 1;
  let local: Value | undefined;
  for (const split of splits) {
    const colon = split.indexOf(":");
    if (colon < 1 || !isToken(split.slice(0, colon))) return fault(start, "after / come a name, a colon and a value");
    if (split.startsWith("local:")) {
      const value = readValue(kind, split.slice(colon + 1), start + colon + 1);
      if (typeof value === "object") return value;
      local = value;
    }
    start += split.length + 1;
  }
  return local === undefined ? { whole } : { whole, local };
}

/** `name=value` between semicolons. A name that is not known, with or without a value, changes nothing. */
function readParameters<T>(
  value: string,
  from: number,
  readers: ParameterReaders<T>,
): { readonly read: Draft<T> } | Fault {
  const draft = {} as Draft<T>;
  const seen = new Set<string>();
  for (const { part, at } of partsOf(value, ";", from)) {
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    const text = equals < 0 ? "" : part.slice(equals + 1);
    if (!isToken(name)) return fault(at, "a parameter is a name, = and a value");
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (reader === undefined) {
      const isValue = equals < 0 || isParameterValue(text);
      if (!isValue) return fault(at + name.length + 1, "a value has visible characters and no spaces");
      continue;
    }
    if (seen.has(name)) return fault(at, `a second ${name}`);
    seen.add(name);
    const wrong = reader(text, equals < 0 ? at + name.length : at + equals + 1, draft);
    if (wrong !== undefined) return wrong;
  }
  return { read: draft };
}

function readNeed(value: string, target: AttributeTarget): boolean | Fault {
  const direction = /^(send|recv|sendrecv) +(?=\S)/.exec(value);
  if (direction === null) return fault(0, "it must be send, recv or sendrecv, a space, and parameters");
  const parameters = readParameters(value, direction[0].length, NEED_PARAMETERS);
  if ("text" in parameters) return parameters;
  target.needs ??= {};
  for (const way of ["send", "recv"] as const) {
    if (direction[1] !== way && direction[1] !== "sendrecv") continue;
    if (target.needs[way] !== undefined) return fault(0, `what it needs to ${way} is there already`);
    target.needs[way] = parameters.read;
  }
  return true;
}

/** A value and, after spaces, parameters: those that are not known are passed over. */
function readWithParameters(value: string): { readonly first: string; readonly more: Map<string, Part> } | Fault {
  const more = new Map<string, Part>();
  let first: string | undefined;
  for (const { part, at } of partsOf(value, " ")) {
    if (first === undefined) first = part;
    else if (part !== "") {
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.slice(0, equals);
      const text = equals < 0 ? undefined : part.slice(equals + 1);
      const isParameter = isToken(name) && (text === undefined || isParameterValue(text));
      if (!isParameter) return fault(at, "a parameter is a name, = and a value");
      if (more.has(name)) return fault(at, `a second ${name}`);
      more.set(name, { part: text ?? "", at });
    }
  }
  return { first: first ?? "", more };
}

const isName = (text: string): boolean => isToken(text) && text.length <= LONGEST_NAME;

function readClass(value: string, target: AttributeTarget): boolean | Fault {
  const read = readWithParameters(value);
  if ("text" in read) return read;
  if (!isName(read.first)) return fault(0, `a class is a token of up to ${LONGEST_NAME} characters`);
  const format = read.more.get("format");
  if (format !== undefined && !isName(format.part)) {
    return fault(format.at, `a format is a token of up to ${LONGEST_NAME} characters`);
  }
  if (target.sessionClass !== undefined) return AGAIN;
  target.sessionClass = format === undefined ? { name: read.first } : { name: read.first, format: format.part };
  return true;
}

function readSecurity(value: string, target: AttributeTarget): boolean | Fault {
  const read = readWithParameters(value);
  if ("text" in read) return read;
  const required = MEDIA_SECURITY.find((name) => name === read.first);
  // What is not known cannot be seen to.
  if (required === undefined) return fault(0, `it must be ${MEDIA_SECURITY.join(", ")}`);
  if (target.requiredSecurity !== undefined) return AGAIN;
  target.requiredSecurity = required;
  return true;
}

function readQosHint(value: string, target: AttributeTarget): boolean | Fault {
  const parameters = readParameters(value, 0, HINT_PARAMETERS);
  if ("text" in parameters) return parameters;
  if (target.hint !== undefined) return AGAIN;
  target.hint = parameters.read;
  return true;
}

export const QUALITY_READERS: AttributeReaders = {
  "sluice-class": readClass,
  "sluice-need": readNeed,
  "sluice-security": readSecurity,
  "3gpp-qos-hint": readQosHint,
  ...PRECONDITION_READERS,
};

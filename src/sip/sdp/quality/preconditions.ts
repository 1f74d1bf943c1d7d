/** RFC 3312 §4: what is reserved, what has to be, and when to say so; RFC 5432 §3: by which means. */
import {
  AGAIN,
  type AttributeReaders,
  type AttributeTarget,
  type Fault,
  fault,
  isToken,
  type Part,
  partsOf,
} from "../attribute-reader.js";
import {
  type DesiredQosStatus,
  DIRECTION_TAGS,
  type QosPreconditions,
  type QosStatus,
  STATUS_TYPES,
  STRENGTH_TAGS,
} from "./description.js";

/** A word of a closed list. */
function readTag<Tag extends string>(tags: readonly Tag[], word: Part | undefined, end: number): Tag | Fault {
  const tag = tags.find((name) => name === word?.part);
  return tag ?? fault(word?.at ?? end, `one of ${tags.join(", ")} must be here`);
}

/** The words after the precondition type; undefined for a type other than qos, which RFC 3312 §15 leaves to others. */
function wordsOf(value: string): readonly Part[] | Fault | undefined {
  const [type, ...words] = partsOf(value, " ");
  if (type === undefined || !isToken(type.part)) return fault(0, "a precondition type must come first");
  return type.part === "qos" ? words : undefined;
}

function readStatus(words: readonly Part[], end: number): QosStatus | Fault {
  const segment = readTag(STATUS_TYPES, words[0], end);
  if (typeof segment === "object") return segment;
  const direction = readTag(DIRECTION_TAGS, words[1], end);
  if (typeof direction === "object") return direction;
  const extra = words[2];
  return extra === undefined ? { segment, direction } : fault(extra.at, "nothing may follow");
}

function readDesired(words: readonly Part[], end: number): DesiredQosStatus | Fault {
  const strength = readTag(STRENGTH_TAGS, words[0], end);
  if (typeof strength === "object") return strength;
  const status = readStatus(words.slice(1), end);
  return "text" in status ? status : { strength, ...status };
}

function statusReader<Status extends QosStatus>(
  read: (words: readonly Part[], end: number) => Status | Fault,
  list: (preconditions: NonNullable<AttributeTarget["preconditions"]>) => Status[],
) {
  return (value: string, target: AttributeTarget): boolean | Fault => {
    const words = wordsOf(value);
    if (words === undefined) return true;
    if ("text" in words) return words;
    const status = read(words, value.length);
    if ("text" in status) return status;
    target.preconditions ??= { current: [], desired: [], confirm: [] } satisfies QosPreconditions;
    list(target.preconditions).push(status);
    return true;
  };
}

const mechanismReader = (way: "send" | "recv") => (value: string, target: AttributeTarget) => {
  const names: string[] = [];
  for (const { part, at } of partsOf(value, " ")) {
    if (part === "") continue;
    if (!isToken(part)) return fault(at, "a mechanism is a token");
    names.push(part);
  }
  target.mechanisms ??= {};
  if (target.mechanisms[way] !== undefined) return AGAIN;
  target.mechanisms[way] = names;
  return true;
};

export const PRECONDITION_READERS: AttributeReaders = {
  curr: statusReader(readStatus, ({ current }) => current),
  des: statusReader(readDesired, ({ desired }) => desired),
  conf: statusReader(readStatus, ({ confirm }) => confirm),
  "qos-mech-send": mechanismReader("send"),
  "qos-mech-recv": mechanismReader("recv"),
};

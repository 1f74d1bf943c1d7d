/** The objects of one message by name, checked against what its type may hold. */
import { misplaced, missingObject } from "./errors.js";
import type { RsvpMessageKind } from "./message.js";
import type { PlacedObject } from "./object.js";
import { OBJECTS, type ObjectName, type ObjectValue } from "./object-table.js";

type Count = "one" | "many";

/** Rows of the table that are one object of the grammar. */
const SESSIONS = { session: "one", aggregateSession: "one", genericAggregateSession: "one" } as const;
const TEMPLATES = { senderTemplate: "one", aggregateSenderTemplate: "one" } as const;
const SENDER = { ...TEMPLATES, senderTspec: "one", adspec: "one" } as const;
const FLOWS = { style: "one", flowspec: "many", filterSpec: "many", aggregateFilterSpec: "many" } as const;
const AGGREGATE_HINTS = { dclass: "one", sessionOfInterest: "one" } as const;
/** RFC 2961 §4.1, RFC 2747 §2.1: in any message about sessions. */
const ANY = { integrity: "one", messageId: "one", messageIdAck: "many", messageIdNack: "many" } as const;

type Grammar = Partial<Record<ObjectName, Count>>;

/** RFC 2205 §3.1 with RFC 2747, RFC 2961, RFC 3175, RFC 4860. POLICY_DATA in tears is allowed and not used. */
const GRAMMAR: Readonly<Record<Exclude<RsvpMessageKind, "Bundle" | "Hello">, Grammar>> = {
  Path: { ...ANY, ...SESSIONS, hop: "one", timeValues: "one", policyData: "many", ...SENDER },
  Resv: {
    ...ANY,
    ...SESSIONS,
    hop: "one",
    timeValues: "one",
    resvConfirm: "one",
    scope: "one",
    policyData: "many",
    ...FLOWS,
    ...AGGREGATE_HINTS,
  },
  PathErr: { ...ANY, ...SESSIONS, errorSpec: "one", policyData: "many", ...SENDER, ...AGGREGATE_HINTS },
  ResvErr: { ...ANY, ...SESSIONS, hop: "one", errorSpec: "one", scope: "one", policyData: "many", ...FLOWS },
  PathTear: { ...ANY, ...SESSIONS, hop: "one", policyData: "many", ...SENDER },
  ResvTear: { ...ANY, ...SESSIONS, hop: "one", scope: "one", policyData: "many", ...FLOWS },
  ResvConf: { ...ANY, ...SESSIONS, errorSpec: "one", resvConfirm: "one", policyData: "many", ...FLOWS },
  Ack: { integrity: "one", messageIdAck: "many", messageIdNack: "many" },
  Srefresh: { ...ANY, messageIds: "many", messageIdSources: "many", messageIdMulticasts: "many" },
  IntegrityChallenge: { challenge: "one" },
  IntegrityResponse: { integrity: "one", challenge: "one" },
};

/** Whether a message of this type may hold such an object at all. */
export const allows = (kind: keyof typeof GRAMMAR, name: ObjectName): boolean => GRAMMAR[kind][name] !== undefined;

export class ObjectBag {
  readonly #byName = new Map<ObjectName, PlacedObject[]>();
  /** All of them, in the order of the wire. */
  readonly objects: readonly PlacedObject[];

  constructor(objects: readonly PlacedObject[]) {
    this.objects = objects;
    for (const object of objects) {
      const same = this.#byName.get(object.name);
      if (same === undefined) this.#byName.set(object.name, [object]);
      else same.push(object);
    }
  }

  /** @throws RsvpDecodeError with reason `misplacedObject` */
  checkGrammar(kind: keyof typeof GRAMMAR): void {
    const grammar = GRAMMAR[kind];
    const seen = new Set<number>();
    for (const { name, offset } of this.objects) {
      const { title, classNum } = OBJECTS[name];
      const detail = { offset, object: title };
      if (grammar[name] === undefined) throw misplaced(`${title} does not belong in ${kind}`, detail);
      // Two forms of one class, such as an IPv4 and an aggregate SESSION, are two of it as well.
      if (grammar[name] === "one" && seen.has(classNum)) throw misplaced(`more than one ${title} in ${kind}`, detail);
      seen.add(classNum);
    }
  }

  place(name: ObjectName): number {
    return this.#byName.get(name)?.[0]?.offset ?? 0;
  }

  maybe<Name extends ObjectName>(name: Name): ObjectValue<Name> | undefined {
    return this.#byName.get(name)?.[0]?.value as ObjectValue<Name> | undefined;
  }

  /** @throws RsvpDecodeError with reason `missingObject` */
  need<Name extends ObjectName>(name: Name): ObjectValue<Name> {
    const value = this.maybe(name);
    if (value === undefined) throw missingObject(OBJECTS[name].title);
    return value;
  }

  all<Name extends ObjectName>(name: Name): readonly ObjectValue<Name>[] {
    return (this.#byName.get(name) ?? []).map(({ value }) => value as ObjectValue<Name>);
  }
}

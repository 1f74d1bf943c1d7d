/** Takes the runs of Decision or LPDPDecision objects out of a message, RFC 2748 §3.1 and §3.2. */
import type { OpName } from "./codes.js";
import { badFormat, missingObject } from "./errors.js";
import type { CopsContext, LpdpDecision } from "./message.js";
import { type PlacedObject, padded } from "./object.js";
import { OBJECTS, type ObjectName } from "./object-table.js";

type Part = "stateless" | "replacement" | "clientSpecific" | "named";

const PARTS: Partial<Record<ObjectName, Part>> = {
  decisionStateless: "stateless",
  decisionReplacement: "replacement",
  decisionClientSpecific: "clientSpecific",
  decisionNamed: "named",
  lpdpStateless: "stateless",
  lpdpReplacement: "replacement",
  lpdpClientSpecific: "clientSpecific",
  lpdpNamed: "named",
};

export interface FoundDecisions {
  readonly decisions: readonly LpdpDecision[];
  /** Everything else, in order. */
  readonly rest: readonly PlacedObject[];
}

interface Draft {
  readonly context: CopsContext | undefined;
  readonly command: number;
  readonly flags: number;
  readonly parts: Map<Part, Buffer[]>;
}

/** @throws CopsDecodeError for data before its Flags (error 7) or decisions in a message that has none (error 3) */
export function decodeDecisions(op: OpName, objects: readonly PlacedObject[]): FoundDecisions {
  const prefix = op === "DEC" ? "decision" : op === "REQ" ? "lpdp" : undefined;
  if (prefix === undefined) return { decisions: [], rest: objects };
  const rest: PlacedObject[] = [];
  const decisions: Draft[] = [];
  let context: CopsContext | undefined;
  let current: Draft | undefined;
  // The REQ's own Context is the first one; those after it open an LPDP decision.
  let ownContext = op === "REQ";
  for (const object of objects) {
    if (object.name === "context" && !ownContext) {
      if (context !== undefined) throw missingObject("Decision Flags", OBJECTS.decisionFlags.cNum);
      context = object.value;
      current = undefined;
    } else if (object.name === `${prefix}Flags`) {
      // Flags without a Context of their own belong to the one before (an LPDPDecision may have none).
      const { command, flags } = object.value as { command: number; flags: number };
      const inherited = op === "DEC" ? decisions.at(-1)?.context : undefined;
      current = { context: context ?? inherited, command, flags, parts: new Map() };
      decisions.push(current);
      context = undefined;
    } else if (object.name.startsWith(prefix)) {
      addPart(current, object);
    } else {
      if (object.name === "context") ownContext = false;
      rest.push(object);
    }
  }
  if (context !== undefined) throw missingObject("Decision Flags", OBJECTS.decisionFlags.cNum);
  return { decisions: decisions.map(finish), rest };
}

function addPart(decision: Draft | undefined, object: PlacedObject): void {
  const part = PARTS[object.name];
  const { title, cNum } = OBJECTS[object.name];
  // RFC 2748 §3.2: the Flags must come before the other objects of a decision.
  if (decision === undefined || part === undefined) throw missingObject(`Flags before ${title}`, cNum);
  const { data } = object.value as { readonly data: Buffer };
  const before = decision.parts.get(part);
  if (before === undefined) decision.parts.set(part, [data]);
  // Some PDPs send a Named object per sub-object: together they are one.
  else if (part === "named") before.push(data);
  else throw badFormat(`more than one ${title} in a decision`, { offset: object.offset, object: title });
}

function finish({ context, command, flags, parts }: Draft): LpdpDecision {
  const data = Object.fromEntries([...parts].map(([part, pieces]) => [part, joinWords(pieces)]));
  return { ...(context === undefined ? {} : { context }), command, flags, ...data };
}

/** Joined on word boundaries, where sub-objects start. */
function joinWords(pieces: readonly Buffer[]): Buffer {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  return Buffer.concat(pieces.flatMap((piece) => [piece, Buffer.alloc(padded(piece.length) - piece.length)]));
}

/** What a decision says about an RSVP message or reservation, RFC 2749 §2.4 and §3.6: decisions <-> a verdict. */
import { DecodeError } from "../../model/errors.js";
import { COMMAND, DECISION_FLAG } from "../codec/codes.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import type { CopsContext, CopsDecision, DecMessage } from "../codec/message.js";
import { cutRsvpObjects, type RsvpObjectOctets } from "./objects.js";

/** What a PDP decides. */
export type RsvpRuling =
  | { readonly kind: "install" }
  /** `objects` go into the error message, such as its ERROR_SPEC (RFC 2749 §3.7). */
  | { readonly kind: "remove"; readonly triggerError: boolean; readonly objects: readonly RsvpObjectOctets[] };

/** What a PEP reads. */
export type RsvpVerdict =
  | RsvpRuling
  /** The PDP could not decide. */
  | { readonly kind: "error"; readonly error: CodeAndSubCode }
  /** Well-formed, but it wants what is not done here: `classes` of RSVP objects are to be replaced. */
  | { readonly kind: "unsupported"; readonly classes: readonly number[] }
  /** Against RFC 2749; `why` completes "the decision …". */
  | { readonly kind: "malformed"; readonly why: string };

/**
 * @param asked - context of the request that is decided
 * @returns `remove` as soon as one of the steps asked about is refused. `install` only if each of them is allowed; of an
 * unsolicited decision those that it names (RFC 2749 §5.1: it may change one alone).
 */
export function readVerdict(asked: CopsContext, { decisions, error, solicited }: DecMessage): RsvpVerdict {
  if (error !== undefined) return { kind: "error", error };
  const [first] = decisions;
  if (first === undefined) return malformed("decides nothing");
  if (decisions.some(({ context }) => context.mType !== asked.mType)) return malformed("is about another message type");
  const ours = decisions.filter(({ context }) => (context.rType & asked.rType) !== 0);
  try {
    return judge(asked, ours, solicited);
  } catch (fault) {
    if (!(fault instanceof DecodeError)) throw fault;
    return malformed(`holds RSVP objects that cannot be read: ${fault.message}`);
  }
}

function judge(asked: CopsContext, decisions: readonly CopsDecision[], solicited: boolean): RsvpVerdict {
  const removal = decisions.find(({ command }) => command === COMMAND.remove);
  if (removal !== undefined) {
    const triggerError = (removal.flags & DECISION_FLAG.triggerError) !== 0;
    return { kind: "remove", triggerError, objects: cutRsvpObjects(removal.replacement ?? NOTHING) };
  }
  // §2.4: only Install and Remove apply to RSVP.
  if (decisions.some(({ command }) => command !== COMMAND.install)) return malformed("has an unknown command");
  const allowed = decisions.reduce((bits, { context }) => bits | context.rType, 0) & asked.rType;
  if (allowed === 0 || (solicited && allowed !== asked.rType)) return malformed("leaves open what was asked");
  const replaced = decisions.flatMap(({ replacement }) => cutRsvpObjects(replacement ?? NOTHING));
  if (replaced.length === 0) return { kind: "install" };
  return { kind: "unsupported", classes: replaced.map(({ classNum }) => classNum) };
}

const NOTHING = Buffer.alloc(0);

const malformed = (why: string): RsvpVerdict => ({ kind: "malformed", why });

/** @param replacement - RSVP objects as octets: see `joinRsvpObjects` */
export function encodeRuling(
  context: CopsContext,
  ruling: { readonly install: true } | { readonly install: false; readonly replacement?: Buffer },
): CopsDecision {
  if (ruling.install) return { context, command: COMMAND.install, flags: 0 };
  const replacement = ruling.replacement === undefined ? {} : { replacement: ruling.replacement };
  // §2.4: whoever asked for the reservation is to be told.
  return { context, command: COMMAND.remove, flags: DECISION_FLAG.triggerError, ...replacement };
}

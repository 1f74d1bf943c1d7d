import { type OpName, opName, REPORT_TYPE, type ReportType } from "./codes.js";
import { decodeDecisions } from "./decode-decision.js";
import { badFormat, CopsDecodeError, missingObject } from "./errors.js";
import { type CopsHeader, HEADER_LENGTH, readHeader } from "./header.js";
import type { CopsMessage, Integrity } from "./message.js";
import { decodeObjects, type PlacedObject } from "./object.js";
import { ObjectBag } from "./object-bag.js";
import { OBJECTS, type ObjectName } from "./object-table.js";

type Count = "one" | "many";

const CLIENT_SI = { signaled: "many", named: "many" } as const;
const INTEGRITY = { integrity: "one", integrityTls: "one" } as const;

/** What each message may hold, RFC 2748 §3; decisions are taken out beforehand. */
const GRAMMAR: Readonly<Record<OpName, Partial<Record<ObjectName, Count>>>> = {
  REQ: {
    handle: "one",
    context: "one",
    inInterface4: "one",
    inInterface6: "one",
    outInterface4: "one",
    outInterface6: "one",
    ...CLIENT_SI,
    ...INTEGRITY,
  },
  DEC: { handle: "one", error: "one", ...INTEGRITY },
  RPT: { handle: "one", reportType: "one", ...CLIENT_SI, ...INTEGRITY },
  DRQ: { handle: "one", reason: "one", ...INTEGRITY },
  SSQ: { handle: "one", ...INTEGRITY },
  SSC: { handle: "one", ...INTEGRITY },
  OPN: { pepId: "one", ...CLIENT_SI, lastPdp4: "one", lastPdp6: "one", ...INTEGRITY },
  CAT: { keepAliveTimer: "one", accountingTimer: "one", ...INTEGRITY },
  CC: { error: "one", redirect4: "one", redirect6: "one", ...INTEGRITY },
  KA: INTEGRITY,
};

/**
 * @param frame - one whole message, as FrameReader gives it
 * @throws CopsDecodeError with the Error object to answer (RFC 2748 §2.2.8), and op, client-type and handle if legible
 */
export function decodeMessage(frame: Buffer): CopsMessage {
  const header = readHeader(frame, frame.length);
  let handle: Buffer | undefined;
  try {
    if (header.length !== frame.length) {
      const detail = { offset: 4, object: "Common Header", need: header.length, have: frame.length };
      throw badFormat("message length is not that of the frame", detail);
    }
    const op = opName(header.op);
    if (op === undefined) throw badFormat(`unknown op code ${header.op}`, { offset: 1, object: "Common Header" });
    const objects = decodeObjects(frame.subarray(HEADER_LENGTH), HEADER_LENGTH);
    handle = objects.find((object) => object.name === "handle")?.value.data;
    return assemble(op, header, objects);
  } catch (error) {
    if (!(error instanceof CopsDecodeError)) throw error;
    const legible = { op: header.op, clientType: header.clientType, ...(handle === undefined ? {} : { handle }) };
    throw error.within(legible);
  }
}

function assemble(op: OpName, header: CopsHeader, objects: readonly PlacedObject[]): CopsMessage {
  const { clientType, solicited } = header;
  const { decisions, rest } = decodeDecisions(op, objects);
  const bag = new ObjectBag(rest);
  checkGrammar(op, bag, rest);
  checkIntegrityPlace(objects);
  const common = { clientType, ...optional("integrity", integrityOf(bag)) };
  const clientSi = () => ({ signaled: bag.data("signaled"), named: bag.data("named") });
  switch (op) {
    case "REQ":
      return {
        op,
        ...common,
        handle: bag.need("handle").data,
        context: bag.need("context"),
        ...optional("inInterface", bag.either("inInterface4", "inInterface6")),
        ...optional("outInterface", bag.either("outInterface4", "outInterface6")),
        ...clientSi(),
        lpdp: decisions,
      };
    case "DEC":
      return decMessage(bag, { ...common, solicited, decisions });
    case "RPT":
      return { op, ...common, solicited, handle: bag.need("handle").data, reportType: reportType(bag), ...clientSi() };
    case "DRQ":
      return { op, ...common, handle: bag.need("handle").data, reason: bag.need("reason") };
    case "SSQ":
    case "SSC":
      return { op, ...common, ...optional("handle", bag.maybe("handle")?.data) };
    case "OPN": {
      const lastPdp = optional("lastPdp", bag.either("lastPdp4", "lastPdp6"));
      return { op, ...common, pepId: bag.need("pepId").name, ...clientSi(), ...lastPdp };
    }
    case "CAT": {
      const accounting = optional("accounting", bag.maybe("accountingTimer")?.seconds);
      return { op, ...common, keepAlive: bag.need("keepAliveTimer").seconds, ...accounting };
    }
    case "CC":
      return { op, ...common, error: bag.need("error"), ...optional("redirect", bag.either("redirect4", "redirect6")) };
    case "KA":
      // RFC 2748 §3.9: KA is about the connection. A peer that fills in its client-type is understood.
      return { op, ...common, clientType: 0 };
  }
}

/** RFC 2748 §3.2: decisions or an error. RFC 3084 §3.2 writes `*(<Decision>)`, so none at all is legal. */
function decMessage(
  bag: ObjectBag,
  parts: { clientType: number; solicited: boolean; decisions: ReturnType<typeof decodeDecisions>["decisions"] },
): CopsMessage {
  const error = bag.maybe("error");
  if (error !== undefined && parts.decisions.length > 0) {
    throw badFormat("a DEC holds decisions or an Error, not both", { offset: 0, object: "Error" });
  }
  const decisions = parts.decisions.map((decision) => {
    if (decision.context === undefined) throw missingObject("Context", OBJECTS.context.cNum);
    return { ...decision, context: decision.context };
  });
  return { op: "DEC", ...parts, handle: bag.need("handle").data, decisions, ...optional("error", error) };
}

function checkGrammar(op: OpName, bag: ObjectBag, objects: readonly PlacedObject[]): void {
  const allowed = GRAMMAR[op];
  for (const { name, offset } of objects) {
    const count = allowed[name];
    const detail = { offset, object: OBJECTS[name].title };
    if (count === undefined) throw badFormat(`${OBJECTS[name].title} does not belong in ${op}`, detail);
    if (count === "one" && bag.count(name) > 1)
      throw badFormat(`more than one ${OBJECTS[name].title} in ${op}`, detail);
  }
}

/** RFC 2748 §3: decisions come before it, too. */
function checkIntegrityPlace(objects: readonly PlacedObject[]): void {
  const at = objects.findIndex(({ name }) => name === "integrity" || name === "integrityTls");
  const found = objects[at];
  if (found === undefined || at === objects.length - 1) return;
  throw badFormat("Integrity is not the last object", { offset: found.offset, object: OBJECTS[found.name].title });
}

const REPORT_TYPES = new Map<number, ReportType>(
  Object.entries(REPORT_TYPE).map(([name, code]) => [code, name as ReportType]),
);

function reportType(bag: ObjectBag): ReportType {
  const { type } = bag.need("reportType");
  const known = REPORT_TYPES.get(type);
  if (known === undefined) throw badFormat(`unknown Report-Type ${type}`, { offset: 0, object: "Report-Type" });
  return known;
}

function integrityOf(bag: ObjectBag): Integrity | undefined {
  const hmac = bag.maybe("integrity");
  if (hmac !== undefined) return { cType: 1, data: hmac.data };
  const tls = bag.maybe("integrityTls");
  return tls === undefined ? undefined : { cType: 2, data: tls.data };
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}

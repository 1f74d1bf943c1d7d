/** Values -> octets, in the object order of RFC 2748 §3. */
import { unreachable } from "../../model/errors.js";
import { familyOf } from "../../model/ip.js";
import { OP, REPORT_TYPE } from "./codes.js";
import { HEADER_LENGTH, writeHeader } from "./header.js";
import type { CopsInterface, CopsMessage, DecMessage, LpdpDecision, PdpAddress, ReqMessage } from "./message.js";
import { encodeObject } from "./object.js";
import type { CopsObject } from "./object-table.js";

/** The message as it goes on the wire. @throws InternalError if an object cannot hold what it is given. */
export function encodeMessage(message: CopsMessage): Buffer {
  const body = objectsOf(message).concat(integrityOf(message)).map(encodeObject);
  const length = body.reduce((sum, part) => sum + part.length, HEADER_LENGTH);
  const header = Buffer.alloc(HEADER_LENGTH);
  const solicited = (message.op === "DEC" || message.op === "RPT") && message.solicited;
  writeHeader(header, { op: OP[message.op], clientType: message.clientType, solicited, length });
  return Buffer.concat([header, ...body], length);
}

function objectsOf(message: CopsMessage): CopsObject[] {
  switch (message.op) {
    case "REQ":
      return requestObjects(message);
    case "DEC":
      return decisionMessageObjects(message);
    case "RPT": {
      const type = REPORT_TYPE[message.reportType];
      return [...handleOf(message.handle), { name: "reportType", value: { type } }, ...clientSiOf(message)];
    }
    case "DRQ":
      return [...handleOf(message.handle), { name: "reason", value: message.reason }];
    case "SSQ":
    case "SSC":
      return handleOf(message.handle);
    case "OPN": {
      const last = message.lastPdp === undefined ? [] : [serverOf("lastPdp", message.lastPdp)];
      return [{ name: "pepId", value: { name: message.pepId } }, ...clientSiOf(message), ...last];
    }
    case "CAT": {
      const { accounting } = message;
      const timers: CopsObject[] = [{ name: "keepAliveTimer", value: { seconds: message.keepAlive } }];
      if (accounting !== undefined) timers.push({ name: "accountingTimer", value: { seconds: accounting } });
      return timers;
    }
    case "CC": {
      const redirect = message.redirect === undefined ? [] : [serverOf("redirect", message.redirect)];
      return [{ name: "error", value: message.error }, ...redirect];
    }
    case "KA":
      return [];
    default:
      return unreachable(message, "encodeMessage");
  }
}

function requestObjects(message: ReqMessage): CopsObject[] {
  return [
    ...handleOf(message.handle),
    { name: "context", value: message.context },
    ...(message.inInterface === undefined ? [] : [interfaceOf("inInterface", message.inInterface)]),
    ...(message.outInterface === undefined ? [] : [interfaceOf("outInterface", message.outInterface)]),
    ...clientSiOf(message),
    ...message.lpdp.flatMap((decision) => decisionObjects("lpdp", decision)),
  ];
}

function decisionMessageObjects(message: DecMessage): CopsObject[] {
  const error: CopsObject[] = message.error === undefined ? [] : [{ name: "error", value: message.error }];
  const decisions = message.decisions.flatMap((decision) => decisionObjects("decision", decision));
  return [...handleOf(message.handle), ...decisions, ...error];
}

/** RFC 2748 §3.2: within a context the Flags come before the data. */
function decisionObjects(kind: "decision" | "lpdp", decision: LpdpDecision): CopsObject[] {
  const { context, command, flags, stateless, replacement, clientSpecific, named } = decision;
  const objects: CopsObject[] = context === undefined ? [] : [{ name: "context", value: context }];
  objects.push({ name: `${kind}Flags`, value: { command, flags } });
  if (stateless !== undefined) objects.push({ name: `${kind}Stateless`, value: { data: stateless } });
  if (replacement !== undefined) objects.push({ name: `${kind}Replacement`, value: { data: replacement } });
  if (clientSpecific !== undefined) objects.push({ name: `${kind}ClientSpecific`, value: { data: clientSpecific } });
  if (named !== undefined) objects.push({ name: `${kind}Named`, value: { data: named } });
  return objects;
}

const handleOf = (handle: Buffer | undefined): CopsObject[] =>
  handle === undefined ? [] : [{ name: "handle", value: { data: handle } }];

function clientSiOf(message: { readonly signaled: readonly Buffer[]; readonly named: readonly Buffer[] }) {
  return [
    ...message.signaled.map((data): CopsObject => ({ name: "signaled", value: { data } })),
    ...message.named.map((data): CopsObject => ({ name: "named", value: { data } })),
  ];
}

const interfaceOf = (name: "inInterface" | "outInterface", value: CopsInterface): CopsObject =>
  familyOf(value.address) === 6 ? { name: `${name}6`, value } : { name: `${name}4`, value };

const serverOf = (name: "redirect" | "lastPdp", value: PdpAddress): CopsObject =>
  familyOf(value.address) === 6 ? { name: `${name}6`, value } : { name: `${name}4`, value };

/** RFC 2748 §3: the Integrity object is always the last one. */
function integrityOf({ integrity }: CopsMessage): CopsObject[] {
  if (integrity === undefined) return [];
  return [{ name: integrity.cType === 1 ? "integrity" : "integrityTls", value: { data: integrity.data } }];
}

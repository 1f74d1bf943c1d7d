/** Code points of RFC 2748. Names are the RFC's. */

/** Op Code of the common header, RFC 2748 §2.1. */
export const OP = { REQ: 1, DEC: 2, RPT: 3, DRQ: 4, SSQ: 5, OPN: 6, CAT: 7, CC: 8, KA: 9, SSC: 10 } as const;
export type OpName = keyof typeof OP;

const OP_NAMES = new Map<number, OpName>(Object.entries(OP).map(([name, code]) => [code, name as OpName]));

/** The three letters of an op code, or undefined if RFC 2748 knows none. */
export const opName = (code: number): OpName | undefined => OP_NAMES.get(code);

/** R-Type bits of the Context object, RFC 2748 §2.2.2. */
export const R_TYPE = { admission: 1, resourceAllocation: 2, outgoing: 4, configuration: 8 } as const;

/** Command-Code of the Decision Flags object, RFC 2748 §2.2.6. */
export const COMMAND = { null: 0, install: 1, remove: 2 } as const;

/** Flags of the Decision Flags object: RFC 2748 §2.2.6 and RFC 3084 §3.2. */
export const DECISION_FLAG = { triggerError: 1, requestState: 2 } as const;

/** Report-Type, RFC 2748 §2.2.12. */
export const REPORT_TYPE = { success: 1, failure: 2, accounting: 3 } as const;
export type ReportType = keyof typeof REPORT_TYPE;

/** Reason-Code of a DRQ, RFC 2748 §2.2.5. */
export const REASON = {
  unspecified: 1,
  management: 2,
  preempted: 3,
  tear: 4,
  timeout: 5,
  routeChange: 6,
  insufficientResources: 7,
  pdpDirective: 8,
  unsupportedDecision: 9,
  synchronizeHandleUnknown: 10,
  transientHandle: 11,
  malformedDecision: 12,
  unknownObject: 13,
} as const;

/** Error-Code, RFC 2748 §2.2.8. */
export const COPS_ERROR = {
  badHandle: 1,
  invalidHandleReference: 2,
  badMessageFormat: 3,
  unableToProcess: 4,
  mandatoryClientSpecificInfoMissing: 5,
  unsupportedClientType: 6,
  mandatoryObjectMissing: 7,
  clientFailure: 8,
  communicationFailure: 9,
  unspecified: 10,
  shuttingDown: 11,
  redirect: 12,
  unknownObject: 13,
  authenticationFailure: 14,
  authenticationRequired: 15,
} as const;

/** COPS-PR with the DiffServ PIB, RFC 3317. */
export const CLIENT_TYPE_DIFFSERV = 2;

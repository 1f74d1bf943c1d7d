/** The ten COPS messages, RFC 2748 §3, as values. */
import type { IpAddress } from "../../model/ip.js";
import type { ReportType } from "./codes.js";
import type { CodeAndSubCode } from "./errors.js";

/** RFC 2748 §2.2.2. `rType` is a set of `R_TYPE` bits, `mType` belongs to the client-type. */
export interface CopsContext {
  readonly rType: number;
  readonly mType: number;
}

/** RFC 2748 §2.2.3: the other end of the signalling, and the interface it came by or goes by. */
export interface CopsInterface {
  readonly address: IpAddress;
  readonly ifindex: number;
}

/** RFC 2748 §2.2.13 and §2.2.14. */
export interface PdpAddress {
  readonly address: IpAddress;
  readonly port: number;
}

interface DecisionParts {
  /** A `COMMAND`. */
  readonly command: number;
  /** A set of `DECISION_FLAG` bits. */
  readonly flags: number;
  readonly stateless?: Buffer;
  readonly replacement?: Buffer;
  readonly clientSpecific?: Buffer;
  readonly named?: Buffer;
}

/** RFC 2748 §3.2: a context, and what was decided for it. */
export interface CopsDecision extends DecisionParts {
  readonly context: CopsContext;
}

/** RFC 2748 §3.1: what the PEP's local policy decision point thought. */
export interface LpdpDecision extends DecisionParts {
  readonly context?: CopsContext;
}

/** An Integrity object, not looked into. `cType` 1 is the HMAC of RFC 2748, 2 the TLS flag of RFC 4261. */
export interface Integrity {
  readonly cType: 1 | 2;
  readonly data: Buffer;
}

interface Common {
  readonly clientType: number;
  readonly integrity?: Integrity;
}

interface ClientSi {
  readonly signaled: readonly Buffer[];
  readonly named: readonly Buffer[];
}

export interface ReqMessage extends Common, ClientSi {
  readonly op: "REQ";
  readonly handle: Buffer;
  readonly context: CopsContext;
  readonly inInterface?: CopsInterface;
  readonly outInterface?: CopsInterface;
  readonly lpdp: readonly LpdpDecision[];
}

/** Either decisions or an error; RFC 3084 §3.2 allows neither. */
export interface DecMessage extends Common {
  readonly op: "DEC";
  readonly handle: Buffer;
  /** Set on the answer to a REQ, and only there. */
  readonly solicited: boolean;
  readonly decisions: readonly CopsDecision[];
  readonly error?: CodeAndSubCode;
}

export interface RptMessage extends Common, ClientSi {
  readonly op: "RPT";
  readonly handle: Buffer;
  /** Set on the answer to a DEC, and only there. */
  readonly solicited: boolean;
  readonly reportType: ReportType;
}

export interface DrqMessage extends Common {
  readonly op: "DRQ";
  readonly handle: Buffer;
  readonly reason: CodeAndSubCode;
}

export interface SsqMessage extends Common {
  readonly op: "SSQ";
  readonly handle?: Buffer;
}

export interface SscMessage extends Common {
  readonly op: "SSC";
  readonly handle?: Buffer;
}

export interface OpnMessage extends Common, ClientSi {
  readonly op: "OPN";
  readonly pepId: string;
  readonly lastPdp?: PdpAddress;
}

/** Timers in seconds; 0 stands for never. */
export interface CatMessage extends Common {
  readonly op: "CAT";
  readonly keepAlive: number;
  readonly accounting?: number;
}

export interface CcMessage extends Common {
  readonly op: "CC";
  readonly error: CodeAndSubCode;
  readonly redirect?: PdpAddress;
}

export interface KaMessage extends Common {
  readonly op: "KA";
  readonly clientType: 0;
}

export type CopsMessage =
  | ReqMessage
  | DecMessage
  | RptMessage
  | DrqMessage
  | SsqMessage
  | SscMessage
  | OpnMessage
  | CatMessage
  | CcMessage
  | KaMessage;

/** A handle as a key of a map: RFC 2748 §2.2.1 compares handles octet by octet. */
export const handleKey = (handle: Buffer): string => handle.toString("hex");

export const KEEP_ALIVE: KaMessage = { op: "KA", clientType: 0 };

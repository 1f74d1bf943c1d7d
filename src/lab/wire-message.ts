/** The messages of a session in the ladder's words, out of what tshark decoded. Pure. */
import type { LadderProtocol } from "../model/event.js";
import type { LadderHost } from "../model/ladder.js";
import type { Timestamp } from "../model/units.js";
import { hostOf } from "./hosts.js";

export interface WireMessage {
  readonly at: Timestamp;
  readonly from: LadderHost;
  readonly to: LadderHost;
  readonly protocol: LadderProtocol;
  readonly message: string;
  /** Of SIP messages. */
  readonly callId?: string;
}

/** One decoded frame of `tshark -T json --no-duplicate-keys`: nested objects, arrays where a key repeats. */
export interface Layers {
  readonly frame?: unknown;
  readonly cops?: unknown;
  readonly http?: unknown;
  readonly sip?: unknown;
}

/** Every string under `key`, at any depth, in order. */
function valuesOf(node: unknown, key: string): readonly string[] {
  if (Array.isArray(node)) return node.flatMap((item) => valuesOf(item, key));
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([name, value]) => {
    if (name !== key) return valuesOf(value, key);
    return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === "string");
  });
}

const first = (node: unknown, key: string): string | undefined => valuesOf(node, key)[0];
const listed = (node: unknown): readonly unknown[] => (node === undefined ? [] : Array.isArray(node) ? node : [node]);

/** The messages of one frame; none if a stranger sent it or got it. */
export function messagesOf(layers: Layers): readonly WireMessage[] {
  const from = hostOf(first(layers, "ip.src") ?? first(layers, "ipv6.src") ?? "");
  const to = hostOf(first(layers, "ip.dst") ?? first(layers, "ipv6.dst") ?? "");
  if (from === undefined || to === undefined) return [];
  const at = (Number(first(layers.frame, "frame.time_epoch")) * 1000) as Timestamp;
  return [...copsMessages(layers), ...ospMessages(layers), ...sipMessages(layers)].map((named) => ({
    at,
    from,
    to,
    ...named,
  }));
}

type Named = Pick<WireMessage, "protocol" | "message" | "callId">;

const CLIENT_TYPE_DIFFSERV = 2;
const R_TYPE_ADMISSION = 1;
const R_TYPE_RESOURCE = 2;
/** M-Types of COPS for SIP that end a session: bye, cancel, failure, timeout. */
const ENDING = [4, 5, 6, 7];
const FLAG_SOLICITED = 1;
const OP_NAMES = ["", "REQ", "DEC", "RPT", "DRQ", "SSQ", "OPN", "CAT", "CC", "KA", "SSC"];

function copsMessages(layers: Layers): readonly Named[] {
  return listed(layers.cops).map((message) => ({ protocol: "COPS" as const, message: copsName(message) }));
}

/** RFC 2748 §2.1, §2.2.2: the operation, and what its Context or Decision says. */
function copsName(message: unknown): string {
  const numbers = (key: string): readonly number[] => valuesOf(message, key).map(Number);
  const [op = 0] = numbers("cops.op_code");
  const name = OP_NAMES[op] ?? `op ${op}`;
  switch (name) {
    case "REQ":
      return requestName(numbers("cops.context.r_type")[0] ?? 0, numbers("cops.context.m_type")[0] ?? 0);
    case "DEC":
      return decisionName(numbers("cops.client_type")[0] ?? 0, numbers("cops.decision.cmd"));
    case "RPT":
      return ((numbers("cops.flags")[0] ?? 0) & FLAG_SOLICITED) === 0 ? "RPT accounting" : "RPT";
    default:
      return name;
  }
}

function requestName(rType: number, mType: number): string {
  if ((rType & R_TYPE_ADMISSION) !== 0) return "REQ AAA";
  if ((rType & R_TYPE_RESOURCE) === 0) return "REQ";
  return ENDING.includes(mType) ? "REQ noLDP" : "REQ LDP";
}

/** To a router a decision is what it installs or removes; one that does both is an install. */
function decisionName(clientType: number, commands: readonly number[]): string {
  if (clientType !== CLIENT_TYPE_DIFFSERV) return "DEC";
  if (commands.includes(1)) return "DEC Install";
  return commands.includes(2) ? "DEC Remove" : "DEC";
}

const OSP_NAMES: Readonly<Record<string, string>> = {
  AuthorisationRequest: "AuthReq",
  AuthorisationResponse: "AuthRsp",
  UsageIndication: "UsageInd",
  UsageConfirmation: "UsageCnf",
};

/** The first component of the XML document says what the message is; both spellings are in use. */
function ospMessages(layers: Layers): readonly Named[] {
  if (layers.http === undefined) return [];
  const found = /<((?:Authori[sz]ation(?:Request|Response))|Usage(?:Indication|Confirmation))\b/.exec(
    JSON.stringify(layers),
  );
  const name = OSP_NAMES[(found?.[1] ?? "").replace("Authoriz", "Authoris")];
  return name === undefined ? [] : [{ protocol: "OSP", message: name }];
}

function sipMessages(layers: Layers): readonly Named[] {
  return listed(layers.sip).flatMap((message): readonly Named[] => {
    const name = first(message, "sip.Method") ?? first(message, "sip.Status-Code");
    const callId = first(message, "sip.Call-ID");
    if (name === undefined) return [];
    return [{ protocol: "SIP", message: name, ...(callId === undefined ? {} : { callId }) }];
  });
}

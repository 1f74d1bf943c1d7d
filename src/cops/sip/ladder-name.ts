/** A COPS message in the words of the session ladder (model/ladder.ts). */
import { CLIENT_TYPE_DIFFSERV, COMMAND, R_TYPE } from "../codec/codes.js";
import type { CopsMessage, DecMessage, ReqMessage } from "../codec/message.js";
import { isEnding } from "./codes.js";

export function ladderName(message: CopsMessage): string {
  if (message.op === "REQ") return requestName(message);
  if (message.op === "DEC") return decisionName(message);
  return message.op;
}

function requestName({ context }: ReqMessage): string {
  if ((context.rType & R_TYPE.admission) !== 0) return "REQ AAA";
  if ((context.rType & R_TYPE.resourceAllocation) === 0) return "REQ";
  return isEnding(context.mType) ? "REQ noLDP" : "REQ LDP";
}

/** To a router a decision is what it installs or removes; one that does both is an install. */
function decisionName({ clientType, decisions }: DecMessage): string {
  if (clientType !== CLIENT_TYPE_DIFFSERV) return "DEC";
  if (decisions.some(({ command }) => command === COMMAND.install)) return "DEC Install";
  return decisions.some(({ command }) => command === COMMAND.remove) ? "DEC Remove" : "DEC";
}

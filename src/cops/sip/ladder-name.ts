/** COPS requests and decisions in the words of the session ladder (model/ladder.ts). */
import { CLIENT_TYPE_DIFFSERV, COMMAND, R_TYPE } from "../codec/codes.js";
import type { CopsContext, DecMessage } from "../codec/message.js";
import { isEnding } from "./codes.js";

export function requestName({ rType, mType }: CopsContext): string {
  if ((rType & R_TYPE.admission) !== 0) return "REQ AAA";
  if ((rType & R_TYPE.resourceAllocation) === 0) return "REQ";
  return isEnding(mType) ? "REQ noLDP" : "REQ LDP";
}

/** To a router a decision is what it installs or removes; one that does both is an install. */
export function decisionName({ clientType, decisions }: Pick<DecMessage, "clientType" | "decisions">): string {
  if (clientType !== CLIENT_TYPE_DIFFSERV) return "DEC";
  if (decisions.some(({ command }) => command === COMMAND.install)) return "DEC Install";
  return decisions.some(({ command }) => command === COMMAND.remove) ? "DEC Remove" : "DEC";
}

/** Ends a session that the policy takes back, whatever has become of it so far. */
import type { Call } from "./call.js";
import { DialogEnder } from "./dialog-ender.js";
import type { SessionEnding } from "./policy.js";
import type { RelayHost } from "./relay.js";

/** @returns false if it is not known how its parties are reached: then it is forgotten, and the policy's `ended` not called */
export function endCall(host: RelayHost, call: Call, ending: SessionEnding): boolean {
  if (call.ending !== undefined || call.ender !== undefined) return true;
  // §15: before a final answer there is no dialog for BYE, and CANCEL is the caller's means.
  if (call.setUp?.withdraw(ending) === true) return true;
  const { callId, legs } = call.context;
  if (legs === undefined) {
    call.discard();
    return false;
  }
  call.ender = new DialogEnder(host, {
    callId,
    legs,
    headers: ending.headers,
    isDirect: call.context.direct === true,
    flowTo: (party) => host.flowTo(call.context, party),
    over: (bye) => void call.end(ending.kind ?? "bye", bye),
  });
  call.ender.start();
  return true;
}

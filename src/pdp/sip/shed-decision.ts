/** How a proxy is told that a session's bandwidth was taken back. Pure. */
import { COMMAND } from "../../cops/codec/codes.js";
import type { CopsDecision } from "../../cops/codec/message.js";
import { ldpContext } from "../../cops/sip/codes.js";
import { encodeDirectives } from "../../cops/sip/directives.js";
import { unreachable } from "../../model/errors.js";
import { refusalAnswer } from "../../sip/message/refusal.js";
import type { SessionRecord, ShedTreatment } from "../session-record.js";

/** RFC 4411 §5.2: reserved resources were taken on purpose within the network; its registered text (§7.2). */
const REASON = 'Preemption ;cause=2 ;text="Reserved Resources Preempted"';

const TEXT = "the network took the bandwidth of this session back";

/**
 * The unsolicited decision (RFC 2748 §3.2, §4.4).
 * @param agent - named in Warning headers (RFC 3261 §20.43)
 */
export function shedDecision({ id }: Pick<SessionRecord, "id">, treatment: ShedTreatment, agent: string): CopsDecision {
  switch (treatment) {
    case "bye": {
      const { status, phrase, headers } = refusalAnswer("noRoom", TEXT, agent);
      const directives = {
        addHeaders: headers,
        removeHeaders: [],
        refusal: { status, phrase },
        session: id,
        reason: REASON,
      };
      return decision("bye", COMMAND.remove, encodeDirectives(directives));
    }
    case "bestEffort": {
      // RFC 3261 §20.43: 370 is for media that needs more bandwidth than there is.
      const warning = { name: "Warning", value: `370 ${agent} "${TEXT}; it goes on without a guarantee"` };
      const directives = { addHeaders: [warning], removeHeaders: [], session: id };
      return decision("answer", COMMAND.install, encodeDirectives(directives));
    }
    default:
      return unreachable(treatment, "shedDecision");
  }
}

const decision = (event: "answer" | "bye", command: number, clientSpecific: Buffer): CopsDecision => ({
  context: ldpContext(event),
  command,
  flags: 0,
  clientSpecific,
});

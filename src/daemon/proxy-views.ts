/** What a SIP proxy shows of its dialogs. Pure. */
import type { SessionView } from "../control/views.js";
import type { PepDialog } from "../pep/sip/dialog-store.js";

export const sessionView = ({ context, phase, answered, since, shed }: PepDialog): SessionView => ({
  session: context.session,
  callId: context.callId,
  caller: context.caller,
  callee: context.callee,
  side: context.side,
  state: [
    phase,
    ...(answered ? [] : ["not answered"]),
    ...directWord(context),
    ...(shed === undefined ? [] : ["shed"]),
  ].join(", "),
  since,
});

/** Whether it left the dialog's path, where it was to. */
const directWord = ({ direct }: PepDialog["context"]): readonly string[] =>
  direct === undefined ? [] : [direct ? "direct" : "direct not possible"];

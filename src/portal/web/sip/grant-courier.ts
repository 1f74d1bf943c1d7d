/**
 * Carries what was granted from a 2xx into its ACK: where the proxies have left the dialog's path nobody else can tell the callee
 * (`ack: direct`). Where they are on it they put the same header on the ACK, and the copy does no harm.
 */

import type { IncomingResponse, SessionDialog } from "sip.js/lib/core/index.js";

/** One medium and policy server a value: docs/SDP.md. */
export const GRANTED_HEADER = "Sluice-Granted";

/** From now on every ACK of `dialog` bears what the 2xx before it brought; `response` is the one that is being acknowledged. */
export function carryGrants(dialog: SessionDialog, response: IncomingResponse | undefined): void {
  let grants = response === undefined ? [] : grantHeaders(response);
  const { ack, invite } = dialog;
  dialog.ack = (options = {}) => {
    const extraHeaders = [...(options.extraHeaders ?? []), ...grants.map((value) => `${GRANTED_HEADER}: ${value}`)];
    return ack.call(dialog, { ...options, extraHeaders });
  };
  dialog.invite = (delegate = {}, options) => {
    const { onAccept } = delegate;
    const remembering: typeof delegate = {
      ...delegate,
      onAccept: (accepted) => {
        grants = grantHeaders(accepted);
        onAccept?.(accepted);
      },
    };
    return invite.call(dialog, remembering, options);
  };
}

const grantHeaders = ({ message }: IncomingResponse): readonly string[] => message.getHeaders(GRANTED_HEADER);

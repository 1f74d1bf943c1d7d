/** Ends towards the callee a dialog that the caller never got: ACK and BYE in the caller's name (RFC 3261 §13.2.2.4, §15). */
import { type ExtraHeader, inDialogRequest } from "../message/build.js";
import type { SipResponse } from "../message/message.js";
import { formatVia } from "../message/via.js";
import type { Destination } from "../transport/transport.js";
import { routesBeyond, routeUri } from "./dialog-legs.js";
import { applyEdits, type Outgoing } from "./forwarder.js";
import { hopOf, literalHop } from "./hop.js";
import type { RelayHost } from "./relay.js";

export interface HangUpParts {
  readonly outgoing: Outgoing;
  readonly accepted: SipResponse;
  readonly withBye: boolean;
  /** Put on the BYE. */
  readonly byeHeaders?: readonly ExtraHeader[];
}

/** Sends both; the result repeats the ACK, for retransmissions of the 2xx. */
export function hangUp(host: RelayHost, parts: HangUpParts): () => void {
  const { outgoing, accepted } = parts;
  const routes = routesBeyond(accepted, {
    before: outgoing.request.recordRoutes.length,
    isSelf: (uri) => host.isSelf(uri),
  });
  const next = outgoing.remote.flow === undefined ? nextHop(routes[0] ?? accepted.contact?.uri) : undefined;
  // What went by TCP for its size only does not change the hop's transport, nor the address that faces it.
  const remote = next?.transport === outgoing.remote.transport ? next : outgoing.remote;
  const ends = { local: outgoing.local, remote };
  const make = (method: "ACK" | "BYE") => {
    const via = formatVia(outgoing.local, host.branches.plain());
    return inDialogRequest({ invite: outgoing.request, accepted, method, via }, routes);
  };
  const acknowledgement = make("ACK");
  const acknowledge = () => host.wire.send(acknowledgement, ends, () => undefined);
  acknowledge();
  if (parts.withBye) {
    const send = host.wire.requests(ends.local, ends.remote);
    const bye = applyEdits(make("BYE"), { addHeaders: parts.byeHeaders ?? [] });
    host.layer.startClient(bye, send, { response: () => undefined, failed: () => undefined });
  }
  return acknowledge;
}

function nextHop(route: string | undefined): Destination | undefined {
  const uri = route === undefined ? undefined : routeUri(route);
  const hop = uri === undefined ? undefined : hopOf(uri);
  return hop === undefined ? undefined : literalHop(hop);
}

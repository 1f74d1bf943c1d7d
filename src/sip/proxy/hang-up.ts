/** Ends towards the callee a dialog that the caller never got: ACK and BYE in the caller's name (RFC 3261 §13.2.2.4, §15). */
import { parseAddress } from "../../model/ip.js";
import { type ExtraHeader, inDialogRequest } from "../message/build.js";
import type { SipResponse } from "../message/message.js";
import { formatVia } from "../message/via.js";
import type { SocketAddress } from "../transport/transport.js";
import { DEFAULT_PORT } from "../transport/via-routing.js";
import { routesBeyond, routeUri } from "./dialog-legs.js";
import { applyEdits, type Outgoing } from "./forwarder.js";
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
  const routes = routesBeyond(accepted, (uri) => host.isSelf(uri));
  const remote = nextHop(routes[0] ?? accepted.contact?.uri) ?? outgoing.remote;
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

function nextHop(route: string | undefined): SocketAddress | undefined {
  const uri = route === undefined ? undefined : routeUri(route);
  const address = uri === undefined ? undefined : parseAddress(uri.host);
  return address === undefined ? undefined : { address, port: uri?.port ?? DEFAULT_PORT };
}

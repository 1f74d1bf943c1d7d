/**
 * Who may send a request onwards, and in whose name. Inside a dialog that this proxy knows, its parties may; anything else
 * counts as outside one, whatever tags it bears.
 */
import { parseAddress } from "../../model/ip.js";
import { parseSipUri } from "../message/uri.js";
import type { Call } from "./call.js";
import type { ProxyCounters } from "./counters.js";
import type { Arrival } from "./relay.js";
import type { Router } from "./routing.js";
import type { UserDesk } from "./user-desk.js";
import type { Answer } from "./user-services.js";

export interface SenderCheckParts {
  readonly router: Router;
  readonly counters: Pick<ProxyCounters, "unknownDialogs" | "misplaced">;
  /** None for a proxy without users of its own. */
  readonly users: UserDesk | undefined;
}

/** Of a dialog that is known to nobody here these still end what its parties have, and begin nothing. */
const HARMLESS = new Set(["ACK", "BYE"]);

export class SenderCheck {
  private readonly parts: SenderCheckParts;

  constructor(parts: SenderCheckParts) {
    this.parts = parts;
  }

  /** @param call - whose dialog the request is in; undefined outside one @returns undefined if nothing is wrong */
  refuse(arrival: Arrival, call: Call | undefined): Answer | undefined {
    const { counters, users } = this.parts;
    const { method, toTag } = arrival.request;
    if (call === undefined && toTag !== undefined) {
      counters.unknownDialogs += 1;
      if (!HARMLESS.has(method)) return NO_DIALOG;
    }
    const refused = users?.refuse(arrival, call);
    if (refused !== undefined || call !== undefined) return refused;
    if (!this.isMisplaced(arrival)) return undefined;
    counters.misplaced += 1;
    return { status: 403, phrase: "From Is Of Elsewhere" };
  }

  /** A From of a domain whose hop is known by address comes from there, or from somebody who borrows it. */
  private isMisplaced({ request, remote }: Arrival): boolean {
    const from = parseSipUri(request.from?.uri ?? "");
    const hop = from === undefined ? undefined : this.parts.router.routeTo(from.host);
    const address = hop === undefined ? undefined : parseAddress(hop.host);
    return address !== undefined && address !== remote.address;
  }
}

/** §12.2.2 has this of the callee: this proxy answers so that nobody is reached by a dialog that was never decided on. */
export const NO_DIALOG: Answer = { status: 481, phrase: "Call/Transaction Does Not Exist" };

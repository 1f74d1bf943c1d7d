/** ACKs for 2xx: passed on without a transaction (RFC 3261 §16.11); one that carries an answer is shown to the policy. */
import type { Call } from "./call.js";
import type { DialogParty } from "./dialog-legs.js";
import type { Outgoing, Unroutable } from "./forwarder.js";
import { onwards } from "./onward-flow.js";
import type { Arrival, RelayHost } from "./relay.js";

export class AckRelay {
  private readonly host: RelayHost;
  /** The last ACK with a body of each party that was shown, by its CSeq number: parties count for themselves (§12.2.1.1). */
  private readonly shown = new WeakMap<Call, Map<DialogParty, { readonly number: number; decided: boolean }>>();

  constructor(host: RelayHost) {
    this.host = host;
  }

  /** @param call - its session, if it is remembered */
  onAck(arrival: Arrival, call: Call | undefined): void {
    const { request } = arrival;
    // §16.3: an ACK is never answered, so one that has gone too far is dropped.
    if (request.maxForwards === 0 || request.toTag === undefined) return;
    if (call === undefined || call.ending !== undefined || request.body.length === 0) {
      this.forward(arrival, call);
      return;
    }
    const number = request.cseq?.number ?? 0;
    const shown = this.shownOf(call);
    const party = call.partyOf(request);
    const before = shown.get(party);
    if (before?.number === number) {
      if (before.decided) this.forward(arrival, call);
      return;
    }
    const state = { number, decided: false };
    shown.set(party, state);
    const held = call.hold(async () => {
      // It cannot be refused (§17.1.1.3 has no answer to it): without a reservation the media is best effort.
      await call.decide(() => call.policy.reoffer(call.context, request));
      state.decided = true;
      this.forward(arrival, call);
    });
    if (!held) shown.delete(party);
  }

  private shownOf(call: Call): Map<DialogParty, { readonly number: number; decided: boolean }> {
    const known = this.shown.get(call) ?? new Map();
    this.shown.set(call, known);
    return known;
  }

  private forward(arrival: Arrival, call: Call | undefined): void {
    const { request, local, remote } = arrival;
    // An ACK whose target is this proxy itself would come back for ever.
    if (this.host.branches.isLoop(request, (via) => this.host.isSelf(via))) return;
    const branch = this.host.branches.stateless(request);
    const edits = { addHeaders: call?.headersOfAcknowledgement(request) ?? [] };
    const wish = { arrival: local, source: remote, branch, edits, ...onwards(this.host, call, request) };
    const send = (outgoing: Outgoing | Unroutable): void => {
      if (outgoing.kind === "ready") this.host.wire.send(outgoing.request, outgoing, () => undefined);
    };
    // At once where nothing must be waited for: a BYE that follows closely must not overtake it.
    const now = this.host.forwarder.prepareNow(request, wish);
    if (now === undefined) void this.host.forwarder.prepare(request, wish).then(send);
    else send(now);
  }
}

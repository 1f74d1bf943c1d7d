/** A request other than INVITE, ACK and CANCEL through the proxy: passed on at once, unless it carries an offer. */
import { responseTo } from "../message/build.js";
import type { SipRequest, SipResponse } from "../message/message.js";
import type { ServerTransaction } from "../transaction/transaction-layer.js";
import type { Call } from "./call.js";
import { withRefresh } from "./dialog-legs.js";
import { applyEdits, type Outgoing, type Unroutable } from "./forwarder.js";
import { onwards } from "./onward-flow.js";
import type { Edits, RefusedVerdict } from "./policy.js";
import { type Arrival, type RelayHost, refusalTo } from "./relay.js";
import type { Located } from "./user-services.js";

/** Methods that may carry an offer or an answer inside a dialog (RFC 3311, RFC 3262). */
const OFFER_CARRIERS = new Set(["UPDATE", "PRACK"]);

export class RequestRelay {
  private readonly host: RelayHost;
  private readonly arrival: Arrival;
  private readonly call: Call | undefined;
  private readonly server: ServerTransaction;
  private offered = false;

  constructor(host: RelayHost, arrival: Arrival, call: Call | undefined) {
    this.host = host;
    this.arrival = arrival;
    this.call = call;
    this.server = host.layer.startServer(arrival.request, host.wire.responses(arrival));
  }

  start(): void {
    const { call } = this;
    const { request } = this.arrival;
    if (request.method === "BYE" && call !== undefined) {
      if (call.ender !== undefined) {
        call.ender.byeFrom(call.partyOf(request), () => this.server.respond(responseTo(request, 200)));
        return;
      }
      if (call.ending === undefined) {
        this.bye(call);
        return;
      }
    }
    const asked = request.toTag === undefined ? this.host.locate(request) : undefined;
    if (asked !== undefined) {
      void asked.then((located) => this.relay(located));
      return;
    }
    const isOffer = request.body.length > 0 && OFFER_CARRIERS.has(request.method);
    if (call === undefined || call.ending !== undefined || !isOffer) {
      this.forward({}, (response) => this.passOn(response));
      return;
    }
    this.offered = true;
    if (!call.hold(() => this.decideOffer(call))) this.refuse({ status: 503, phrase: "Too Much Waiting" });
  }

  private relay(located: Located): void {
    if (located.kind === "refused") this.refuse(located);
    else this.forward({ request: located.request }, (response) => this.server.respond(response));
  }

  private passOn(response: SipResponse): void {
    const { call } = this;
    this.server.respond(response);
    if (call === undefined || call.ending !== undefined || !isRefresh(response)) return;
    // Nobody waits for the verdict: a policy that is away must not make a refresh fail that both parties agreed on.
    call.hold(async () => {
      await call.decide(() => call.policy.reoffer(call.context, response));
    });
  }

  /**
   * A BYE is never held. Nearest to who hangs up, the session is released between the BYE and its answer; at the other
   * proxy after the answer, so that neither side waits for both.
   */
  private bye(call: Call): void {
    const { request } = this.arrival;
    const near = (call.context.side === "originating") === call.isFromCaller(request);
    if (near) {
      this.forward({}, (response) => {
        void call.ending?.then(() => this.server.respond(response));
      });
      void call.end("bye", request);
      return;
    }
    const over = () => void call.end("bye", request);
    this.forward(
      {},
      (response) => {
        this.server.respond(response);
        // §22: a challenge is no end: the BYE will come again with credentials.
        if (response.status !== 401 && response.status !== 407) over();
      },
      over,
    );
  }

  private async decideOffer(call: Call): Promise<void> {
    const { request } = this.arrival;
    const verdict = await call.decide(() => call.policy.reoffer(call.context, request));
    if (!verdict.forward) return this.refuse(verdict);
    this.forward(verdict, (response) => {
      const decide = () => this.decideAnswer(call, response);
      if (!call.hold(decide)) this.refuse({ status: 500, phrase: "Too Much Waiting" });
    });
  }

  private async decideAnswer(call: Call, response: SipResponse): Promise<void> {
    // A PRACK's answer carries at most an answer to the PRACK's own offer.
    const verdict = await call.decide(() => call.policy.reoffer(call.context, response));
    if (response.status >= 300) this.server.respond(response);
    else if (verdict.forward) this.server.respond(applyEdits(response, verdict));
    else this.refuse(verdict);
  }

  /** @param edits - and what goes on instead of the request as it came */
  private forward(
    edits: Edits & { readonly request?: SipRequest },
    final: (response: SipResponse) => void,
    failed: () => void = () => undefined,
  ): void {
    const { local, remote } = this.arrival;
    const { request = this.arrival.request, removeHeaders = [] } = edits;
    const granted = request.method === "PRACK" ? this.call?.headersOfAcknowledgement(request) : undefined;
    const addHeaders = [...(edits.addHeaders ?? []), ...(granted ?? [])];
    const onward = onwards(this.host, this.call, request);
    const wish = { arrival: local, source: remote, edits: { addHeaders, removeHeaders }, ...onward };
    const go = (outgoing: Outgoing | Unroutable) => {
      if (outgoing.kind === "ready") return this.send(outgoing, final, failed);
      this.refuse(outgoing);
      failed();
    };
    const now = this.host.forwarder.prepareNow(request, wish);
    if (now !== undefined) {
      go(now);
      return;
    }
    void this.host.forwarder.prepare(request, wish).then(go);
  }

  private send(outgoing: Outgoing, final: (response: SipResponse) => void, failed: () => void): void {
    this.host.layer.startClient(outgoing.request, this.host.wire.requests(outgoing.local, outgoing.remote), {
      response: (received) => {
        // RFC 4320 §4.1: no provisional but 100 is sent for these methods, and 100 is not forwarded.
        if (received.status >= 200) final(this.learn(received.removeTopVia()));
      },
      failed: (reason) => {
        // RFC 4320 §4.2: never 408 to these: the sender's own Timer F has run out at the same time.
        if (reason === "transportError") this.refuse({ status: 503, phrase: "Service Unavailable" });
        if (this.offered) this.tellFailure(outgoing.request);
        failed();
      },
    });
  }

  private learn(response: SipResponse): SipResponse {
    const { call } = this;
    const { request } = this.arrival;
    if (call === undefined) return response;
    // RFC 3311 §5.1: UPDATE is the other request that says anew where its sender is.
    if (request.method === "UPDATE" && response.status < 300) {
      call.follow((legs) => withRefresh(legs, call.partyOf(request), { request, accepted: response }));
    }
    return call.withNotice(response);
  }

  /** The offer came to nothing, without an answer to show. */
  private tellFailure(request: SipRequest): void {
    const { call } = this;
    if (call === undefined) return;
    const answer = refusalTo(request, { status: 408, phrase: "Request Timeout" }, this.host.branches);
    call.hold(async () => {
      await call.decide(() => call.policy.reoffer(call.context, answer));
    });
  }

  private refuse(refusal: Omit<RefusedVerdict, "forward">): void {
    this.server.respond(refusalTo(this.arrival.request, refusal, this.host.branches));
  }
}

/** RFC 4028 §8.2, §10: a 2xx to UPDATE sets the session's timer anew, or takes it away by saying nothing of it. */
const isRefresh = (response: SipResponse): boolean =>
  response.status >= 200 && response.status < 300 && response.cseq?.method === "UPDATE";

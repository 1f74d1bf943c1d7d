/** Ends a dialog at both parties: carries out what the machine of take-down.ts says. Thin. */
import type { ExtraHeader } from "../message/build.js";
import type { SipRequest } from "../message/message.js";
import type { FlowId } from "../transport/transport.js";
import { byeTo, type DialogLegs, type DialogParty } from "./dialog-legs.js";
import type { Outgoing } from "./forwarder.js";
import type { RelayHost } from "./relay.js";
import { stepTakeDown, TALKING, type TakeDownEvent, type TakeDownState } from "./take-down.js";

export interface DialogEnderParts {
  readonly callId: string;
  readonly legs: DialogLegs;
  /** Put on both BYEs. */
  readonly headers: readonly ExtraHeader[];
  /** Its requests do not pass here. */
  readonly isDirect: boolean;
  /** The connection that a party is reached by now, if by any. */
  readonly flowTo: (party: DialogParty) => FlowId | undefined;
  /** Both parties are out of it. @param bye - that to the callee */
  readonly over: (bye: SipRequest) => void;
}

export class DialogEnder {
  private readonly host: RelayHost;
  private readonly parts: DialogEnderParts;
  private readonly byes: Readonly<Record<DialogParty, SipRequest>>;
  private state: TakeDownState = TALKING;

  constructor(host: RelayHost, parts: DialogEnderParts) {
    this.host = host;
    this.parts = parts;
    this.byes = { caller: byeTo(parts.legs, "caller", parts), callee: byeTo(parts.legs, "callee", parts) };
  }

  start(): void {
    this.step({ kind: "start" });
  }

  /** A party's own BYE. @param answer - says 200 to it */
  byeFrom(party: DialogParty, answer: () => void): void {
    this.step({ kind: "bye", party }, answer);
  }

  private step(event: TakeDownEvent, answer?: () => void): void {
    const { state, actions } = stepTakeDown(this.state, event);
    this.state = state;
    for (const action of actions) {
      switch (action.do) {
        case "sendBye":
          this.send(action.party);
          break;
        case "answer":
          answer?.();
          break;
        case "over":
          this.parts.over(this.byes.callee);
          break;
      }
    }
  }

  /** BYEs are retransmitted by their transactions. There are at most two for each dialog that is remembered. */
  private send(party: DialogParty): void {
    const failed = () => this.step({ kind: "failed", party });
    const leg = this.parts.legs[party];
    const wish = { arrival: leg.local, flow: this.parts.flowTo(party), leg };
    const go = (outgoing: Outgoing): void => {
      this.host.layer.startClient(outgoing.request, this.host.wire.requests(outgoing.local, outgoing.remote), {
        response: ({ status }) => {
          if (status >= 200) this.step({ kind: "answered", party });
        },
        failed,
      });
    };
    this.host.forwarder
      .prepare(this.byes[party], wish)
      .then((outgoing) => {
        if (outgoing.kind === "ready") go(outgoing);
        else failed();
      })
      .catch((cause: unknown) => {
        this.host.logger.error("sip.bye.failed", { callId: this.parts.callId, cause: String(cause) });
        failed();
      });
  }
}

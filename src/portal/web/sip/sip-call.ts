/** One SIP session of this browser: the agent's library on one side, what the page shows on the other. */
import { type Bye, Invitation, Inviter, type Session, SessionState } from "sip.js";
import type { IncomingResponse, SessionDialog } from "sip.js/lib/core/index.js";
import { Store } from "../dom/store.js";
import { type AnswerChoice, answerQuality } from "../quality/answer.js";
import { describeQuality } from "../quality/describe.js";
import type { SessionQuality } from "../quality/needs.js";
import { mediaOf, readQuality } from "../quality/sdp-quality.js";
import {
  type DataChannels,
  type DescriptionEvents,
  DescriptionHandler,
  type MediaPlan,
} from "./description-handler.js";
import { carryGrants, GRANTED_HEADER } from "./grant-courier.js";
import { describeGrant, type Grant, leastRate, parseGranted } from "./granted.js";
import { activityOf, type LiveSession, type Phase, withStep } from "./live-session.js";
import { type Explanation, explainEnd, explainRefusal } from "./refusal.js";

export interface SipCallOptions {
  readonly session: Inviter | Invitation;
  readonly plan: MediaPlan;
  readonly stun: readonly string[];
  /** What our first description says, where we offer. */
  readonly quality: SessionQuality;
}

/** What a session is made of while it lives. */
export interface CallMedia {
  readonly channels?: DataChannels;
  readonly local?: MediaStream;
  readonly remote: MediaStream;
  readonly connection: RTCPeerConnectionState;
}

/** What an offer of the other side takes to be answered. */
export const planFor = (offer: string): MediaPlan => {
  const media = mediaOf(offer);
  return { audio: media.includes("audio"), video: media.includes("video"), data: media.includes("application") };
};

export class SipCall {
  readonly live: Store<LiveSession>;
  readonly media: Store<CallMedia>;
  readonly #session: Inviter | Invitation;
  readonly #options: SipCallOptions;
  readonly #remote = new MediaStream();
  #quality: SessionQuality;
  #handler: DescriptionHandler | undefined;

  constructor(options: SipCallOptions) {
    const { session } = options;
    this.#options = options;
    this.#session = session;
    this.#quality = options.quality;
    this.live = new Store(firstView(options));
    this.media = new Store<CallMedia>({ remote: this.#remote, connection: "new" });
    session.delegate = {
      onAck: ({ request }) => this.#granted(request.getHeaders(GRANTED_HEADER), "ACK"),
      onBye: (bye) => this.#byed(bye),
      onCancel: ({ request }) => this.#end(explainEnd(request.getHeaders("Reason"), "The invitation was withdrawn.")),
      // The library would follow it: whom this user calls, and pays for, the other side does not choose (RFC 3261 §21.6.2).
      onRefer: (referral) => {
        this.#step("Transfer", "The other side wanted to send this session elsewhere: declined.");
        void referral.reject({ statusCode: 603, reasonPhrase: "Decline" });
      },
      onInvite: (_request, _response, status) =>
        this.#step("Change", status < 300 ? "The other side changed what the session needs." : "A change was refused."),
    };
    session.stateChange.addListener((state) => this.#changed(state));
  }

  get callId(): string {
    return this.live.value.callId;
  }

  /** Called by the agent when the library wants one; there is one for each session. */
  handler(): DescriptionHandler {
    const { plan, stun } = this.#options;
    this.#handler ??= new DescriptionHandler({ plan, stun, events: this.#descriptionEvents() });
    this.#handler.setQuality(this.#quality);
    return this.#handler;
  }

  get peer(): RTCPeerConnection | undefined {
    return this.#handler?.peer;
  }

  /** Sends the INVITE. @throws Error where there is no microphone, or it may not be used */
  async invite(): Promise<void> {
    if (!(this.#session instanceof Inviter)) return;
    this.#step("Offer", describeQuality(this.#quality));
    try {
      await this.#session.invite({
        requestDelegate: {
          onProgress: ({ message }) => {
            if (message.statusCode === 180) this.#phase("ringing", "Ringing", "It rings at the other side.");
          },
          onAccept: ({ message }) => this.#granted(message.getHeaders(GRANTED_HEADER), "200"),
          onReject: (response) => this.#end(explainRefusal(refusedOf(response))),
        },
      });
    } catch (error) {
      this.#end({ title: "The invitation could not be sent.", detail: textOf(error), advice: deviceAdvice(error) });
    }
  }

  /** Answers an invitation, with needs as they were offered, loosened, tightened or without any. */
  async accept(choice: AnswerChoice): Promise<void> {
    if (!(this.#session instanceof Invitation)) return;
    this.#quality = answerQuality(this.live.value.offered, choice);
    this.#phase("connecting", "Answer", describeQuality(this.#quality));
    try {
      await this.#session.accept();
      if (this.#session.dialog !== undefined) carryGrants(this.#session.dialog as SessionDialog, undefined);
    } catch (error) {
      const failed = {
        title: "The invitation could not be answered.",
        detail: textOf(error),
        advice: deviceAdvice(error),
      };
      if (this.#session.state === SessionState.Establishing) await this.#session.reject({ statusCode: 480 });
      this.#end(failed);
    }
  }

  async decline(): Promise<void> {
    if (!(this.#session instanceof Invitation) || this.#session.state !== SessionState.Initial) return;
    this.#end({ title: "You declined.", detail: "", advice: "" });
    await this.#session.reject({ statusCode: 603, reasonPhrase: "Decline" });
  }

  /** Ends it, whatever state it is in. */
  async hangUp(): Promise<void> {
    const session = this.#session;
    this.#end({ title: "You ended the session.", detail: "", advice: "" });
    if (session.state === SessionState.Established) await session.bye();
    else if (session instanceof Inviter && session.state !== SessionState.Terminated) await session.cancel();
    else if (session instanceof Invitation && session.state === SessionState.Initial) await session.reject();
  }

  /** Asks for other needs in mid-session (re-INVITE); what was agreed stays if that is refused. */
  async change(quality: SessionQuality): Promise<Explanation | undefined> {
    const former = this.#quality;
    this.#handler?.setQuality(quality);
    this.#step("Offer", `Change: ${describeQuality(quality)}`);
    const refused = await new Promise<Explanation | undefined>((resolve) => {
      const requestDelegate = {
        onAccept: ({ message }: IncomingResponse) => {
          this.#granted(message.getHeaders(GRANTED_HEADER), "200");
          resolve(undefined);
        },
        onReject: (response: IncomingResponse) => resolve(explainRefusal(refusedOf(response))),
      };
      this.#session
        .invite({ requestDelegate })
        .catch((error: unknown) => resolve({ title: "The change was not sent.", detail: textOf(error), advice: "" }));
    });
    this.#quality = refused === undefined ? quality : former;
    this.#handler?.setQuality(this.#quality);
    if (refused !== undefined)
      this.#step("Refused", `${refused.title} ${refused.detail} What was agreed before goes on.`);
    return refused;
  }

  /** Something that others say of the session. */
  note(what: string, detail: string): void {
    this.#step(what, detail);
  }

  /** kbit/s that every policy server granted to what we send of a medium. */
  grantedRate(index: number): number | undefined {
    const { grants, isCaller } = this.live.value;
    return leastRate(grants, index, isCaller ? "callee" : "caller");
  }

  #descriptionEvents(): DescriptionEvents {
    return {
      onOffer: (offered, isOurs) => this.live.update((live) => withOffer(live, offered, isOurs)),
      onAnswer: (answered, isOurs) => {
        this.live.update((live) => ({ ...live, answered }));
        if (!isOurs) this.#step("Answer", describeQuality(answered));
      },
      onHiddenAddresses: () => {
        this.live.update((live) => ({ ...live, hidesAddresses: true }));
        this.#step("Addresses", "This browser hides its addresses: no network can reserve for it.");
      },
      onLocalStream: (local) => this.media.update((media) => ({ ...media, local })),
      onRemoteTrack: (track) => {
        this.#remote.addTrack(track);
        this.media.update((media) => ({ ...media }));
      },
      onConnection: (connection) => this.#connection(connection),
      onDataChannels: (channels) => this.media.update((media) => ({ ...media, channels })),
    };
  }

  #connection(connection: RTCPeerConnectionState): void {
    this.media.update((media) => ({ ...media, connection }));
    if (connection === "connected") {
      this.#step("Media", "Both sides reach each other.");
      // The caller first, so that both do not ask at once.
      window.setTimeout(() => void this.#correctAddress(), this.live.value.isCaller ? 500 : 2500);
    }
    if (connection === "failed") this.#step("Media", "The sides do not reach each other.");
  }

  /** On a host of several networks packets may leave by another than was said: it is said again, and reserved for anew. */
  async #correctAddress(): Promise<void> {
    if (this.live.value.phase !== "active" || (await this.#handler?.isWhereSaid()) !== false) return;
    this.#step("Media", "Packets leave from another address than was reserved for: the reservation follows.");
    await this.change(this.#quality);
  }

  #granted(headers: readonly string[], by: "200" | "ACK"): void {
    const grants = parseGranted(headers);
    if (grants.length === 0 && by === "ACK") return;
    this.live.update((live) => ({ ...live, grants }));
    for (const grant of grants) this.#step("Granted", describeGrant(grant));
    if (grants.length === 0) this.#step("Granted", "No policy server reserved anything: the session is best effort.");
    void this.#limitPicture(grants);
  }

  /** A picture that takes more than was reserved only loses packets. */
  async #limitPicture(grants: readonly Grant[]): Promise<void> {
    const index = this.live.value.media.indexOf("video");
    const sender = this.peer?.getSenders().find(({ track }) => track?.kind === "video");
    const rate = leastRate(grants, index, this.live.value.isCaller ? "callee" : "caller");
    if (sender === undefined || rate === undefined) return;
    const parameters = sender.getParameters();
    // A tenth stays for headers and RTCP.
    for (const encoding of parameters.encodings) encoding.maxBitrate = rate * 900;
    await sender.setParameters(parameters).catch(() => this.#step("Media", "The picture's rate could not be limited."));
  }

  #changed(state: SessionState): void {
    if (state === SessionState.Established) this.#phase("active", "Session", "The session is set up.");
    if (state !== SessionState.Terminated) return;
    this.#handler?.close();
    // The library says why after it has said that.
    queueMicrotask(() => this.#end({ title: "The session is over.", detail: "", advice: "" }));
  }

  #byed(bye: Bye): void {
    this.#end(explainEnd(bye.request.getHeaders("Reason"), "The other side ended the session."));
    void bye.accept();
  }

  #phase(phase: Phase, what: string, detail: string): void {
    if (this.live.value.phase === "ended") return;
    this.live.update((live) => withStep({ ...live, phase }, Date.now(), what, detail));
  }

  #step(what: string, detail: string): void {
    this.live.update((live) => withStep(live, Date.now(), what, detail));
  }

  /** The first that says why is right. */
  #end(end: Explanation): void {
    if (this.live.value.phase === "ended") return;
    const detail = [end.title, end.detail].filter((text) => text !== "").join(" ");
    this.live.update((live) => withStep({ ...live, phase: "ended", end }, Date.now(), "End", detail));
  }
}

function withOffer(live: LiveSession, offered: SessionQuality, offeredByUs: boolean): LiveSession {
  const { answered: _former, ...rest } = live;
  return { ...rest, offered, offeredByUs };
}

function firstView({ session, plan, quality }: SipCallOptions): LiveSession {
  const isCaller = session instanceof Inviter;
  const offer = isCaller ? "" : (session.body ?? "");
  const kinds = [plan.audio && "audio", plan.video && "video", plan.data && "application"] as const;
  const media = isCaller ? kinds.filter((kind) => kind !== false) : mediaOf(offer);
  return {
    callId: session.request.callId,
    peer: aorOf(session),
    isCaller,
    activity: activityOf(media),
    phase: isCaller ? "inviting" : "incoming",
    offered: isCaller ? quality : readQuality(offer),
    offeredByUs: isCaller,
    media,
    grants: [],
    steps: [],
  };
}

function aorOf(session: Session): string {
  const { user, host } = session.remoteIdentity.uri;
  return user === undefined ? host : `${user}@${host}`;
}

function refusedOf({ message }: IncomingResponse): Parameters<typeof explainRefusal>[0] {
  const retryAfter = Number.parseInt(message.getHeader("Retry-After") ?? "", 10);
  return {
    status: message.statusCode ?? 0,
    phrase: message.reasonPhrase ?? "",
    warnings: message.getHeaders("Warning"),
    reasons: message.getHeaders("Reason"),
    ...(Number.isFinite(retryAfter) ? { retryAfter } : {}),
  };
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const deviceAdvice = (error: unknown): string =>
  error instanceof DOMException ? "Let the browser use the microphone or camera, and see that one is plugged in." : "";

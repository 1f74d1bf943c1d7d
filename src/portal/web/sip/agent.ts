/** The browser's SIP user agent over WebSocket (RFC 7118): connected and registered for as long as somebody is logged in. */
import { type Invitation, Inviter, Registerer, RegistererState, type Session, UserAgent } from "sip.js";
import type { SessionDialog, UserAgentCore } from "sip.js/lib/core/index.js";
import { type SipAccess, uriOf } from "../api/types.js";
import { Store } from "../dom/store.js";
import type { SessionQuality } from "../quality/needs.js";
import type { MediaPlan } from "./description-handler.js";
import { carryGrants } from "./grant-courier.js";
import { planFor, SipCall } from "./sip-call.js";

export type AgentState = "connecting" | "registered" | "refused" | "disconnected";

export interface AgentOptions {
  readonly access: SipAccess;
  /** Fresh credentials, when the old ones run out. */
  readonly renew: () => Promise<SipAccess>;
  readonly onIncoming: (call: SipCall) => void;
}

/** Whether `SipAgent.call` takes it. */
export const isCallable = (aor: string): boolean => UserAgent.makeURI(uriOf(aor)) !== undefined;

const REGISTER_EXPIRES = 300;
const UNREGISTER_MOST = 2000;
/** ms before credentials run out; and the least between two times. */
const RENEW_BEFORE = 60_000;
const RENEW_SOONEST = 5000;
const RETRY_FIRST = 1000;
const RETRY_MOST = 30_000;
/** More at once are somebody's play: they are told busy. */
const RINGING_MAX = 4;

export class SipAgent {
  readonly state = new Store<AgentState>("connecting");
  readonly #options: AgentOptions;
  readonly #agent: UserAgent;
  readonly #registerer: Registerer;
  readonly #calls = new WeakMap<Session, SipCall>();
  #access: SipAccess;
  #isStopped = false;
  #retryIn = RETRY_FIRST;
  #retryTimer: number | undefined;
  #renewTimer: number | undefined;
  #ringing = 0;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#access = options.access;
    this.#agent = this.#createAgent();
    carryGrantsOfAll(this.#agent.userAgentCore);
    const { instanceId } = this.#agent;
    this.#registerer = new Registerer(this.#agent, {
      expires: REGISTER_EXPIRES,
      instanceId,
      regId: 1,
      extraHeaders: ["Supported: path, outbound"],
    });
    // The library registers by itself, too, before a registration runs out.
    this.#registerer.stateChange.addListener((state) => {
      if (state === RegistererState.Unregistered && this.state.value === "registered") this.#refused();
    });
    this.#renewLater();
  }

  /** Connects and registers; goes on trying for as long as it takes. */
  start(): void {
    this.#agent.start().catch(() => this.#disconnected());
  }

  /** Takes the registration away and disconnects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    window.clearTimeout(this.#retryTimer);
    window.clearTimeout(this.#renewTimer);
    if (this.#agent.isConnected()) await this.#unregister();
    await this.#agent.stop();
  }

  /** @throws TypeError if `aor` is not `isCallable` */
  call(aor: string, plan: MediaPlan, quality: SessionQuality): SipCall {
    const target = UserAgent.makeURI(uriOf(aor));
    if (target === undefined) throw new TypeError(`${aor} is not an address of record`);
    const session = new Inviter(this.#agent, target);
    const call = this.#keep(new SipCall({ session, plan, quality, stun: this.#access.stun ?? [] }), session);
    void call.invite();
    return call;
  }

  /** Resolves with the last answer: the first asks for the password. A server that is silent is not waited for. */
  #unregister(): Promise<void> {
    return new Promise((resolve) => {
      window.setTimeout(resolve, UNREGISTER_MOST);
      const requestDelegate = { onAccept: () => resolve(), onReject: () => resolve() };
      this.#registerer.unregister({ requestDelegate }).catch(() => resolve());
    });
  }

  #createAgent(): UserAgent {
    const { aor, wss, username, password } = this.#access;
    const uri = UserAgent.makeURI(uriOf(aor));
    if (uri === undefined) throw new TypeError(`${aor} is not an address of record`);
    return new UserAgent({
      uri,
      authorizationUsername: username,
      authorizationPassword: password,
      transportOptions: { server: wss, connectionTimeout: 10 },
      contactParams: { transport: "ws" },
      userAgentString: "Sluice",
      gracefulShutdown: false,
      logBuiltinEnabled: false,
      logLevel: "error",
      noAnswerTimeout: 60,
      sessionDescriptionHandlerFactory: (session) => this.#handlerOf(session),
      delegate: {
        onConnect: () => this.#connected(),
        onDisconnect: () => this.#disconnected(),
        onInvite: (invitation) => this.#invited(invitation),
      },
    });
  }

  #handlerOf(session: Session): ReturnType<SipCall["handler"]> {
    const call = this.#calls.get(session);
    if (call === undefined) throw new Error("a session that the page does not know");
    return call.handler();
  }

  #keep(call: SipCall, session: Session): SipCall {
    this.#calls.set(session, call);
    return call;
  }

  #invited(invitation: Invitation): void {
    if (this.#ringing >= RINGING_MAX) {
      void invitation.reject({ statusCode: 486 });
      return;
    }
    const plan = planFor(invitation.body ?? "");
    const call = new SipCall({ session: invitation, plan, quality: {}, stun: this.#access.stun ?? [] });
    this.#ringing += 1;
    let isRinging = true;
    call.live.subscribe(({ phase }) => {
      if (phase === "incoming" || !isRinging) return;
      isRinging = false;
      this.#ringing -= 1;
    });
    this.#options.onIncoming(this.#keep(call, invitation));
  }

  #connected(): void {
    this.#retryIn = RETRY_FIRST;
    this.#register();
  }

  #register(): void {
    if (this.state.value === "refused") this.state.set("connecting");
    const onAccept = (): void => {
      this.#retryIn = RETRY_FIRST;
      this.state.set("registered");
    };
    this.#registerer
      .register({ requestDelegate: { onAccept, onReject: () => this.#refused() } })
      .catch(() => this.#later(() => this.#register()));
  }

  /** Told by the request, by the registration, or by both. */
  #refused(): void {
    if (this.#isStopped || this.state.value === "refused") return;
    this.state.set("refused");
    this.#later(() => this.#renew());
  }

  #disconnected(): void {
    if (this.#isStopped) return;
    this.state.set("disconnected");
    this.#later(() => {
      this.state.set("connecting");
      this.#agent.reconnect().catch(() => this.#disconnected());
    });
  }

  /** Each time twice as late, so that a server that comes back is not run over. */
  #later(act: () => void): void {
    if (this.#isStopped) return;
    window.clearTimeout(this.#retryTimer);
    this.#retryTimer = window.setTimeout(act, this.#retryIn * (0.75 + Math.random() / 2));
    this.#retryIn = Math.min(RETRY_MOST, this.#retryIn * 2);
  }

  #renewLater(wait = this.#access.expires - Date.now() - RENEW_BEFORE): void {
    if (this.#isStopped) return;
    window.clearTimeout(this.#renewTimer);
    this.#renewTimer = window.setTimeout(() => this.#renew(), Math.min(Math.max(RENEW_SOONEST, wait), 2 ** 31 - 1));
  }

  /** Fetches credentials and registers with them. */
  #renew(): void {
    this.#options.renew().then(
      (access) => {
        this.#access = access;
        this.#agent.configuration.authorizationUsername = access.username;
        this.#agent.configuration.authorizationPassword = access.password;
        this.#renewLater();
        if (this.#agent.isConnected()) this.#register();
      },
      () => this.#renewLater(RENEW_SOONEST),
    );
  }
}

/** Grants go into the ACK of every INVITE that this agent sends: before the library acknowledges. */
function carryGrantsOfAll(core: UserAgentCore): void {
  const { invite } = core;
  core.invite = (request, delegate = {}) => {
    const { onAccept } = delegate;
    const carrying: typeof delegate = {
      ...delegate,
      onAccept: (response) => {
        carryGrants(response.session as SessionDialog, response);
        onAccept?.(response);
      },
    };
    return invite.call(core, request, carrying);
  };
}

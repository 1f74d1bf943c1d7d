/** The players' view: who is on-line beside the session that goes on, and invitations as they come. */
import type { ApiClient } from "../api/client.js";
import type { PortalSession } from "../api/types.js";
import type { Announcer } from "../dom/announce.js";
import { el, fill, setText } from "../dom/element.js";
import type { Store } from "../dom/store.js";
import type { People } from "../people-online.js";
import { planOf } from "../quality/presets.js";
import { isCallable, type SipAgent } from "../sip/agent.js";
import type { MediaPlan } from "../sip/description-handler.js";
import { isOver } from "../sip/live-session.js";
import type { SipCall } from "../sip/sip-call.js";
import { type CallPanel, callPanel } from "./call-panel.js";
import { gamePanel } from "./game-panel.js";
import { openIncoming } from "./incoming-dialog.js";
import { type InviteChoice, openInviteDialog } from "./invite-dialog.js";
import { peopleView } from "./people.js";
import { sessionPanel } from "./session-panel.js";

export interface PlayOptions {
  readonly api: ApiClient;
  readonly session: PortalSession;
  readonly people: Store<People>;
  readonly agent: SipAgent;
  readonly announcer: Announcer;
  readonly current: Store<SipCall | undefined>;
  readonly incoming: Store<readonly SipCall[]>;
  readonly stun: readonly string[];
}

export interface PlayView {
  readonly element: HTMLElement;
  /** Invitations that come while a session goes on: beside whatever is shown. */
  readonly banners: HTMLElement;
  dispose(): void;
}

/** There for as long as somebody is logged in, shown or not: sessions go on beside other views. */
export function playView(options: PlayOptions): PlayView {
  const { session, people, agent, current } = options;
  const place = el("div", { class: "stack" });
  const stage = createStage(options, place);
  const isBusy = (): boolean => {
    const goesOn = isOn(current.value);
    if (goesOn) stage.warn("End the session that goes on first.");
    return goesOn;
  };
  const invite = (nick: string, aor: string): void => {
    if (isBusy()) return;
    openInviteDialog(nick, session.classes, (choice) => {
      if (isBusy()) return;
      stage.show(agent.call(aor, mediaOf(choice), choice.quality));
    });
  };
  const banners = askForAnswers(options, stage);
  const lobby = peopleView({
    own: session.aor,
    people,
    onInvite: ({ nick, aor }) => invite(nick, aor),
    onInviteByName: (name) => {
      const aor = addressOf(name, session.aor);
      if (aor !== undefined) invite(name, aor);
      else if (!isBusy()) stage.fail(`“${name}” is neither a nick name nor an address.`);
    },
  });
  const element = el(
    "div",
    {},
    el("h1", { class: "unseen" }, "Play and call"),
    el("div", { class: "columns" }, lobby, place),
  );
  return { element, banners, dispose: () => stage.dispose() };
}

/** Puts every invitation to the user. @returns where those stand that do not come alone */
function askForAnswers({ announcer, current, incoming }: PlayOptions, stage: Stage): HTMLElement {
  const banners = el("div", { class: "banners" });
  const asked = new Set<SipCall>();
  incoming.subscribe((calls) => {
    for (const call of calls) {
      if (asked.has(call)) continue;
      const isAlone = asked.size === 0 && !isOn(current.value);
      asked.add(call);
      announcer.alert(`${call.live.value.peer} invites you.`);
      openIncoming({ call, banners: isAlone ? undefined : banners, onAccepted: () => void stage.take(call) });
      call.live.subscribe(({ phase }) => {
        if (phase === "incoming" || !asked.delete(call)) return;
        queueMicrotask(() => incoming.update((known) => known.filter((other) => other !== call)));
      });
    }
  });
  return banners;
}

const isOn = (call: SipCall | undefined): boolean => call !== undefined && !isOver(call.live.value);

/**
 * Whom somebody types: an address, or a nick name, for which the own domain's proxy asks the directory (RFC 3261 §25.1 leaves
 * room for kinds of users). Undefined if it is neither.
 */
export function addressOf(name: string, own: string): string | undefined {
  const user = encodeURIComponent(name.replaceAll(/\p{Surrogate}/gu, "\ufffd"));
  const aor = name.includes("@") ? name : `sip:${user}@${own.slice(own.indexOf("@") + 1)};user=nick`;
  return isCallable(aor) ? aor : undefined;
}

const mediaOf = ({ activity }: InviteChoice): MediaPlan => ({
  audio: activity === "audio" || activity === "video",
  video: activity === "video",
  data: planOf(activity).isGame,
});

interface Stage {
  show(call: SipCall): void;
  /** An invitation was accepted: what goes on before it ends. */
  take(call: SipCall): Promise<void>;
  /** Beside the session that goes on. */
  warn(text: string): void;
  /** Nobody could be called. */
  fail(text: string): void;
  dispose(): void;
}

/** Sound and pictures, or the game, as soon as there is something to show, and until the session is over. */
function createPanel(call: SipCall, stun: readonly string[]): CallPanel {
  const element = el("div", { class: "stack" });
  let shown: CallPanel | undefined;
  const unsubscribers = [
    call.media.subscribe(({ channels }) => {
      const { activity } = call.live.value;
      if (shown !== undefined || (activity === "game" && channels === undefined)) return;
      shown = channels === undefined ? callPanel(call) : gamePanel(call, channels, stun);
      fill(element, shown.element);
    }),
    call.live.subscribe((live) => {
      element.hidden = isOver(live);
    }),
  ];
  return {
    element,
    dispose: () => {
      for (const unsubscribe of unsubscribers) unsubscribe();
      shown?.dispose();
    },
  };
}

function createStage({ api, announcer, current, stun }: PlayOptions, place: HTMLElement): Stage {
  let disposers: (() => void)[] = [];
  const notice = el("p", { class: "error notice" });
  const clear = (): void => {
    for (const dispose of disposers) dispose();
    disposers = [];
  };
  const idle = (failure?: string): void => {
    clear();
    current.set(undefined);
    const text = failure === undefined ? undefined : el("p", { class: "error" }, failure);
    const hint = el("p", {}, "Invite somebody who is on-line.");
    fill(place, el("section", { class: "card" }, el("h2", {}, "No session"), text, hint));
  };
  const show = (call: SipCall): void => {
    clear();
    current.set(call);
    const panel = createPanel(call, stun);
    disposers.push(
      () => panel.dispose(),
      call.live.subscribe((live) => {
        if (isOver(live)) setText(notice, "");
      }),
    );
    setText(notice, "");
    fill(place, notice, panel.element, sessionPanel({ call, api, announcer, onClose: () => idle() }));
  };
  idle();
  return {
    show,
    take: async (call) => {
      if (isOn(current.value)) await current.value?.hangUp().catch(() => undefined);
      show(call);
    },
    warn: (text) => {
      setText(notice, text);
      announcer.alert(text);
    },
    fail: (text) => {
      idle(text);
      announcer.alert(text);
    },
    dispose: clear,
  };
}

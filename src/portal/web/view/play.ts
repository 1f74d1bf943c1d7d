/** The players' view: who is on-line beside the session that goes on, and invitations as they come. */
import type { ApiClient } from "../api/client.js";
import { type PortalSession, uriOf } from "../api/types.js";
import type { Announcer } from "../dom/announce.js";
import { el, fill } from "../dom/element.js";
import type { Store } from "../dom/store.js";
import type { People } from "../people-online.js";
import { planOf } from "../quality/presets.js";
import type { SipAgent } from "../sip/agent.js";
import type { MediaPlan } from "../sip/description-handler.js";
import { isOver } from "../sip/live-session.js";
import type { SipCall } from "../sip/sip-call.js";
import { callPanel } from "./call-panel.js";
import { gamePanel } from "./game-panel.js";
import { openIncomingDialog } from "./incoming-dialog.js";
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
  dispose(): void;
}

export function playView(options: PlayOptions): PlayView {
  const { session, people, agent, announcer, current, incoming } = options;
  const place = el("div", { class: "stack" });
  const stage = createStage(options, place);
  const invite = (nick: string, aor: string): void => {
    openInviteDialog(nick, session.classes, (choice) => {
      const former = current.value;
      if (former !== undefined && !isOver(former.live.value)) {
        announcer.alert("End the session that goes on first.");
        return;
      }
      stage.show(agent.call(aor, mediaOf(choice), choice.quality));
    });
  };
  const asked = new Set<SipCall>();
  incoming.subscribe((calls) => {
    for (const call of calls) {
      if (asked.has(call)) continue;
      asked.add(call);
      announcer.alert(`${call.live.value.peer} invites you.`);
      openIncomingDialog(call, () => void stage.take(call));
      call.live.subscribe(({ phase }) => {
        if (phase === "incoming" || !asked.delete(call)) return;
        queueMicrotask(() => incoming.update((known) => known.filter((other) => other !== call)));
      });
    }
  });
  const lobby = peopleView({
    own: session.nick,
    people,
    onInvite: ({ nick, aor }) => invite(nick, aor),
    onInviteByName: (name) => invite(name, addressOf(name, session.aor)),
  });
  const element = el(
    "div",
    {},
    el("h1", { class: "unseen" }, "Play and call"),
    el("div", { class: "columns" }, lobby, place),
  );
  return { element, dispose: () => stage.dispose() };
}

/** A bare nick name is looked for in the own domain, whose proxy asks the directory. */
const addressOf = (name: string, own: string): string =>
  name.includes("@") ? name : `${uriOf(name)}@${own.slice(own.indexOf("@") + 1)}`;

const mediaOf = ({ activity }: InviteChoice): MediaPlan => ({
  audio: activity === "audio" || activity === "video",
  video: activity === "video",
  data: planOf(activity).isGame,
});

interface Stage {
  show(call: SipCall): void;
  /** An invitation was accepted: what goes on before it ends. */
  take(call: SipCall): Promise<void>;
  dispose(): void;
}

function createStage({ api, announcer, current, stun }: PlayOptions, place: HTMLElement): Stage {
  let disposers: (() => void)[] = [];
  const clear = (): void => {
    for (const dispose of disposers) dispose();
    disposers = [];
  };
  const idle = (): void => {
    clear();
    current.set(undefined);
    fill(
      place,
      el("section", { class: "card" }, el("h2", {}, "No session"), el("p", {}, "Invite somebody who is on-line.")),
    );
  };
  const show = (call: SipCall): void => {
    clear();
    current.set(call);
    const panel = el("div", { class: "stack" });
    let isShown = false;
    disposers.push(
      call.media.subscribe(({ channels }) => {
        const { activity } = call.live.value;
        if (isShown || (activity === "game" && channels === undefined)) return;
        isShown = true;
        const shown = channels === undefined ? callPanel(call) : gamePanel(call, channels, stun);
        disposers.push(() => shown.dispose());
        fill(panel, shown.element);
      }),
      call.live.subscribe((live) => {
        if (isOver(live)) panel.hidden = true;
      }),
    );
    fill(place, panel, sessionPanel({ call, api, announcer, onClose: idle }));
  };
  idle();
  return {
    show,
    take: async (call) => {
      const former = current.value;
      if (former !== undefined && !isOver(former.live.value)) await former.hangUp().catch(() => undefined);
      show(call);
    },
    dispose: clear,
  };
}

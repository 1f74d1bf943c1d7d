/** The page of somebody who is logged in: bar, views by the address's fragment, the SIP agent, and the session that goes on. */
import type { ApiClient } from "./api/client.js";
import { type Feed, openFeed } from "./api/events.js";
import type { ChosenState, PortalSession, PresenceEntry, SessionHappening } from "./api/types.js";
import type { Announcer } from "./dom/announce.js";
import { button, el, fill, setText } from "./dom/element.js";
import { Store } from "./dom/store.js";
import { LogOut } from "./log-out.js";
import { dashboard } from "./ops/dashboard.js";
import { type People, withPresence } from "./people-online.js";
import { type AgentState, SipAgent } from "./sip/agent.js";
import type { SipCall } from "./sip/sip-call.js";
import { playView } from "./view/play.js";
import { recordsView } from "./view/records.js";

export interface App {
  readonly element: HTMLElement;
  dispose(): Promise<void>;
}

export interface AppOptions {
  readonly api: ApiClient;
  readonly session: PortalSession;
  readonly announcer: Announcer;
  readonly onLogOut: () => void;
}

const AGENT_STATES: Readonly<Record<AgentState, string>> = {
  connecting: "connecting",
  registered: "ready",
  refused: "refused, trying again",
  disconnected: "no connection, trying again",
};

interface View {
  readonly element: HTMLElement;
  dispose?(): void;
}

/** Begins to register at once. */
export function createApp({ api, session, announcer, onLogOut }: AppOptions): App {
  const people = new Store<People>(new Map());
  const current = new Store<SipCall | undefined>(undefined);
  const incoming = new Store<readonly SipCall[]>([]);
  const agent = new SipAgent({
    access: session.sip,
    renew: () => api.sipCredentials(),
    onIncoming: (call) => incoming.update((calls) => [...calls, call]),
  });
  const feed = openOwnEvents(people, current);
  const stun = session.sip.stun ?? [];
  const play = playView({ api, session, people, agent, announcer, current, incoming, stun });
  const views: Readonly<Record<string, () => View>> = {
    play: () => ({ element: play.element }),
    records: () => ({ element: recordsView(api) }),
    ...(session.operator ? { network: () => dashboard(api, announcer) } : {}),
  };
  const router = createRouter(views);
  const onHide = (): void => leave(api, current.value, incoming.value);
  window.addEventListener("pagehide", onHide);
  agent.start();
  const notice = el("p", { role: "alert", class: "error notice" });
  const out = new LogOut({
    api,
    onDone: onLogOut,
    onFailed: (why) => setText(notice, `You are still logged in: ${why}. The page tries again.`),
  });
  const logOut = async (): Promise<void> => {
    await current.value?.hangUp().catch(() => undefined);
    await out.start();
  };
  return {
    element: el("div", {}, bar({ api, session, agent, router, logOut, notice }), play.banners, router.main),
    dispose: async () => {
      window.removeEventListener("pagehide", onHide);
      out.stop();
      feed.close();
      router.dispose();
      play.dispose();
      await agent.stop().catch(() => undefined);
    },
  };
}

/** Who is on-line, and what the policy server says of the session that goes on. */
function openOwnEvents(people: Store<People>, current: Store<SipCall | undefined>): Feed {
  let isFirst = true;
  return openFeed("/api/events", {
    onState: (isOpen) => {
      if (isOpen) isFirst = true;
    },
    on: {
      presence: (data) => {
        people.update((known) => withPresence(known, data as readonly PresenceEntry[], isFirst));
        isFirst = false;
      },
      session: (data) => {
        const { callId, state } = data as SessionHappening;
        if (current.value?.callId === callId) current.value.note("Policy server", `The session is ${state}.`);
      },
    },
  });
}

/** The page goes: the policy server is told, because no BYE may leave any longer. */
function leave(api: ApiClient, current: SipCall | undefined, incoming: readonly SipCall[]): void {
  const calls = [...(current === undefined ? [] : [current]), ...incoming];
  for (const call of calls) if (call.live.value.phase !== "ended") api.leave(call.callId);
}

interface Router {
  readonly main: HTMLElement;
  readonly nav: HTMLElement;
  dispose(): void;
}

const TITLES: Readonly<Record<string, string>> = { play: "Play and call", records: "Records", network: "Network" };

function createRouter(views: Readonly<Record<string, () => View>>): Router {
  const main = el("main", { id: "main", tabindex: -1 });
  const links = Object.keys(views).map((name) => el("a", { href: `#/${name}` }, TITLES[name] ?? name));
  const nav = el("nav", { "aria-label": "Pages" }, el("ul", {}, ...links.map((link) => el("li", {}, link))));
  let view: View | undefined;
  let shown = "";
  const show = (): void => {
    const name = location.hash.slice(2);
    const [known, make] = Object.entries(views).find(([key]) => key === name) ?? ["play", views.play];
    if (known === shown || make === undefined) return;
    view?.dispose?.();
    const isFirst = shown === "";
    shown = known;
    view = make();
    fill(main, view.element);
    document.title = `${TITLES[known] ?? known} · Sluice`;
    links.forEach((link) => {
      if (link.hash === `#/${known}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    if (!isFirst) main.focus();
  };
  window.addEventListener("hashchange", show);
  show();
  return {
    main,
    nav,
    dispose: () => {
      window.removeEventListener("hashchange", show);
      view?.dispose?.();
    },
  };
}

interface BarParts {
  readonly api: ApiClient;
  readonly session: PortalSession;
  readonly agent: SipAgent;
  readonly router: Router;
  readonly logOut: () => Promise<void>;
  readonly notice: HTMLElement;
}

function bar({ api, session, agent, router, logOut, notice }: BarParts): HTMLElement {
  const state = el("span", { role: "status", class: "quiet", id: "agent-state" });
  agent.state.subscribe((value) => setText(state, AGENT_STATES[value]));
  const options = (["online", "busy", "away"] as const).map((value) => el("option", { value }, value));
  const presence = el("select", { id: "presence", "aria-label": "Your state" }, ...options);
  presence.addEventListener("change", () => void api.presence(presence.value as ChosenState).catch(() => undefined));
  const skip = el("a", { href: "#main", class: "skip" }, "To the content");
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    router.main.focus();
  });
  return el(
    "header",
    { class: "bar" },
    skip,
    el("span", { class: "brand" }, "Sluice"),
    router.nav,
    el("div", { class: "who" }, el("strong", {}, session.nick), state, presence, button("Log out", logOut)),
    notice,
  );
}

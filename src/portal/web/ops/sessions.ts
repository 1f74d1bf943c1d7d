/** Sessions of all roles; of the one that is chosen, why it was decided as it was, and its messages. */
import type { ApiClient } from "../api/client.js";
import type { EventsView, ExplainView, LadderMessage, SessionView, WatchedState } from "../api/types.js";
import { button, el, fill, setText, table } from "../dom/element.js";
import { formatRate, formatTime } from "../dom/format.js";
import { ladderPlot } from "../plot/ladder-plot.js";
import { mergeEvents } from "./merge-events.js";
import { section } from "./section.js";

const READ_EVERY = 4000;
const SHOWN_MAX = 200;
const HEADS = ["Host", "Session", "From", "To", "State", "Treatment", "Rate", "Since"];

/** The sessions of all policy servers; one that is chosen is explained below, with its messages. */
export function sessionsSection(api: ApiClient) {
  const place = el("div");
  const detail = el("div", { class: "detail", "aria-live": "polite" });
  const refusals = el("div");
  let hosts: readonly WatchedState[] = [];
  let known = "";
  const choose = (host: string, view: SessionView): Promise<void> => showDetail(api, hosts, detail, host, view);
  const read = async (): Promise<void> => {
    const all = await Promise.all(hosts.filter(({ role }) => role === "pdp").map((state) => sessionsOf(api, state)));
    const views = all.flat().slice(0, SHOWN_MAX);
    const key = JSON.stringify(views);
    // Rows that did not change stay as they are: whoever stands on one with the keyboard stays there.
    if (key === known || place.contains(document.activeElement)) return;
    known = key;
    const isRefused = ({ view }: HostSession): boolean => view.state === "refused";
    const row = (item: HostSession): readonly (string | HTMLElement)[] => rowOf(item, choose);
    fill(place, table("Sessions of all policy servers", HEADS, views.filter((item) => !isRefused(item)).map(row)));
    fill(refusals, table("Refused sessions", HEADS, views.filter(isRefused).map(row)));
  };
  const timer = window.setInterval(() => void read(), READ_EVERY);
  return {
    element: section("sessions-title", "Sessions", place, detail, el("h3", {}, "Refusals"), refusals),
    show: (next: readonly WatchedState[]): void => {
      const isFirst = hosts.length === 0;
      hosts = next;
      if (isFirst) void read();
    },
    dispose: () => window.clearInterval(timer),
  };
}

interface HostSession {
  readonly host: string;
  readonly view: SessionView;
}

async function sessionsOf(api: ApiClient, { host }: WatchedState): Promise<readonly HostSession[]> {
  try {
    const views = await api.show<readonly SessionView[]>(host, "sessions");
    return views.map((view) => ({ host, view }));
  } catch {
    return [];
  }
}

function rowOf({ host, view }: HostSession, choose: (host: string, view: SessionView) => Promise<void>) {
  return [
    host,
    button(view.session, () => choose(host, view), { class: "link" }),
    view.caller,
    view.callee,
    view.state,
    view.treatment ?? "–",
    view.rate === undefined ? "–" : formatRate(view.rate),
    formatTime(view.since),
  ];
}

async function showDetail(
  api: ApiClient,
  hosts: readonly WatchedState[],
  place: HTMLElement,
  host: string,
  { session, callId }: SessionView,
): Promise<void> {
  const status = el("p", { class: "quiet" }, "Reading.");
  const close = button("Close", () => fill(place));
  const explained = el("div");
  const ladder = el("div");
  fill(place, el("h3", {}, `Session ${session}`), status, explained, ladder, close);
  try {
    const [why, messages] = await Promise.all([api.explain(host, session), messagesOf(api, hosts, callId ?? session)]);
    fill(explained, explanation(why));
    fill(ladder, ladderPlot(messages));
    setText(status, why.outcome);
  } catch (error) {
    setText(status, `It could not be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function explanation({ steps, refusal }: ExplainView): HTMLElement {
  const lines = steps.map(({ at, what, detail }) =>
    el("li", {}, `${formatTime(at)} `, el("strong", {}, what), ` ${detail}`),
  );
  const refused =
    refusal === undefined ? undefined : el("p", { class: "error" }, `Refused (${refusal.reason}): ${refusal.text}`);
  return el("div", {}, refused, el("ol", { class: "steps" }, ...lines));
}

/** Every role saw some of the messages; together they are the ladder. */
async function messagesOf(
  api: ApiClient,
  hosts: readonly WatchedState[],
  session: string,
): Promise<readonly LadderMessage[]> {
  const seen = await Promise.all(
    hosts.map(async ({ host }) => {
      try {
        const { events } = await api.events<EventsView>(host, session);
        return { host, events };
      } catch {
        return { host, events: [] };
      }
    }),
  );
  return mergeEvents(seen);
}

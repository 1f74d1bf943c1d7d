/** The operators' page: pools, links, sessions, refusals, kernel, path quality and health of all roles. It only reads. */
import type { ApiClient } from "../api/client.js";
import { openFeed } from "../api/events.js";
import type { OpsSnapshot, WatchedState } from "../api/types.js";
import type { Announcer } from "../dom/announce.js";
import { el, fill, setText, table } from "../dom/element.js";
import { formatTime } from "../dom/format.js";
import { OpsPast } from "./feed-state.js";
import { kernelSection } from "./kernel.js";
import { poolsSection } from "./pools.js";
import { qualityTable } from "./quality-rows.js";
import { section } from "./section.js";
import { sessionsSection } from "./sessions.js";

export interface Dashboard {
  readonly element: HTMLElement;
  dispose(): void;
}

/** The operators' page; follows its event stream until it is disposed of. */
export function dashboard(api: ApiClient, announcer: Announcer): Dashboard {
  const state = el("p", { class: "quiet", role: "status" }, "Connecting.");
  const health = healthSection(announcer);
  const past = new OpsPast();
  const pools = poolsSection(api, past);
  const sessions = sessionsSection(api);
  const kernel = kernelSection(api);
  const quality = el("div");
  const feed = openFeed("/api/ops/stream", {
    onState: (isOpen) => setText(state, isOpen ? "Live." : "The stream is lost; it is opened again."),
    on: {
      ops: (data) => {
        const snapshot = data as OpsSnapshot;
        setText(state, `Live, as of ${formatTime(snapshot.at)}.`);
        health.show(snapshot.hosts);
        pools.show(past.take(snapshot), snapshot.at);
        sessions.show(snapshot.hosts);
        kernel.show(snapshot.hosts);
        fill(quality, ...snapshot.hosts.flatMap(qualityOf));
      },
    },
  });
  const element = el(
    "div",
    { class: "dashboard" },
    el("h1", {}, "Network"),
    state,
    health.element,
    pools.element,
    sessions.element,
    section("quality-title", "Path quality", quality),
    kernel.element,
  );
  return {
    element,
    dispose: () => {
      feed.close();
      sessions.dispose();
    },
  };
}

function healthSection(announcer: Announcer) {
  const place = el("div");
  let former = "";
  return {
    element: section("health-title", "Roles", place),
    show: (hosts: readonly WatchedState[]): void => {
      const bad = hosts
        .filter(({ health }) => health.status !== "ok")
        .map(({ host, health }) => `${host} is ${health.status}`);
      const now = bad.join(", ");
      if (now !== former) announcer.say(now === "" ? "All roles are well." : now);
      const key = JSON.stringify(
        hosts.map(({ host, role, health, sessions, refusals }) => [host, role, health, sessions, refusals]),
      );
      former = now;
      if (place.dataset.key === key) return;
      place.dataset.key = key;
      fill(
        place,
        table(
          "Health of roles",
          ["Host", "Role", "Health", "Problems and warnings", "Sessions", "Refused since"],
          hosts.map(healthRow),
        ),
      );
    },
  };
}

const healthRow = ({ host, role, health, sessions, refusals }: WatchedState): readonly (string | HTMLElement)[] => [
  host,
  role === "" ? "–" : role,
  el("span", { class: `health ${health.status}` }, health.status),
  [...health.problems, ...health.warnings].join(" "),
  sessions === undefined ? "–" : String(sessions),
  refusals === undefined ? "–" : String(refusals),
];

function qualityOf({ host, quality }: WatchedState): readonly HTMLElement[] {
  const { heads, rows } = qualityTable(quality);
  return rows.length === 0 ? [] : [table(`Paths of ${host}`, heads, rows)];
}

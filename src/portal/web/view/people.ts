/** Who is on-line, and inviting them. */
import type { ChosenState, PresenceEntry } from "../api/types.js";
import { button, el, fill, setText } from "../dom/element.js";
import { formatTime } from "../dom/format.js";
import type { Readable } from "../dom/store.js";
import { othersIn, type People } from "../people-online.js";

const STATES: Readonly<Record<ChosenState, string>> = { online: "on-line", busy: "busy", away: "away" };
/** More are found by their first letters. */
const SHOWN_MAX = 200;

export interface PeopleOptions {
  /** Address of record. */
  readonly own: string;
  readonly people: Readable<People>;
  readonly onInvite: (person: { nick: string; aor: string }) => void;
  /** Whom the directory of all providers may know, by nick name. */
  readonly onInviteByName: (nick: string) => void;
}

/** The list of who is on-line, kept as it changes, and a field for those who are not in it. */
export function peopleView({ own, people, onInvite, onInviteByName }: PeopleOptions): HTMLElement {
  const rows = new Map<string, Row>();
  const list = el("ul", { class: "people" });
  const none = el("p", { class: "quiet" });
  const filter = el("input", { id: "people-filter", type: "search", autocomplete: "off" });
  const show = (): void => {
    const others = othersIn(people.value, own, filter.value);
    const shown = others.slice(0, SHOWN_MAX);
    const nodes = shown.map((person) => rowOf(rows, person, onInvite));
    const kept = new Set(shown.map(keyOf));
    for (const key of rows.keys()) if (!kept.has(key)) rows.delete(key);
    // Rows that stay are not touched: whoever stands on one with the keyboard stays there.
    if (nodes.length !== list.children.length || nodes.some((node, index) => node !== list.children[index])) {
      list.replaceChildren(...nodes);
    }
    const more = others.length - shown.length;
    setText(
      none,
      shown.length === 0 ? "Nobody else is on-line." : more > 0 ? `${more} more: type a part of the name.` : "",
    );
  };
  filter.addEventListener("input", show);
  people.subscribe(show);
  return el(
    "section",
    { class: "card", "aria-labelledby": "people-title" },
    el("h2", { id: "people-title" }, "On-line"),
    el("div", { class: "field" }, el("label", { for: "people-filter" }, "Find"), filter),
    list,
    none,
    byName(onInviteByName),
  );
}

interface Row {
  readonly element: HTMLElement;
  person: PresenceEntry;
  readonly state: HTMLElement;
}

const keyOf = ({ nick, aor }: PresenceEntry): string => `${nick} ${aor}`;

function rowOf(rows: Map<string, Row>, person: PresenceEntry, onInvite: PeopleOptions["onInvite"]): HTMLElement {
  const key = keyOf(person);
  const row = rows.get(key) ?? newRow(person, onInvite);
  rows.set(key, row);
  row.person = person;
  const state = person.state === "offline" ? "off-line" : STATES[person.state];
  setText(row.state, `${state} since ${formatTime(person.since)}`);
  row.state.className = `state ${person.state}`;
  return row.element;
}

function newRow(person: PresenceEntry, onInvite: PeopleOptions["onInvite"]): Row {
  const state = el("span");
  const invite = button("Invite", () => onInvite(person), { "aria-label": `Invite ${person.nick}` });
  const name = el("span", { class: "name" }, el("strong", {}, person.nick), el("span", { class: "quiet" }, person.aor));
  const element = el("li");
  fill(element, name, state, invite);
  return { element, person, state };
}

function byName(onInvite: (nick: string) => void): HTMLElement {
  const input = el("input", { id: "by-name", autocomplete: "off", required: true, maxlength: 128 });
  const form = el("form", { class: "inline" });
  form.append(
    el("label", { for: "by-name" }, "Nick name or address"),
    input,
    el("button", { type: "submit" }, "Invite by name"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onInvite(input.value.trim());
  });
  return form;
}

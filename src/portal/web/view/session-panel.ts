/** A session as it is negotiated and as it lives: what was said, what was granted, and how to change or end it. */
import type { ApiClient } from "../api/client.js";
import type { Announcer } from "../dom/announce.js";
import { button, el, fill, setText, table } from "../dom/element.js";
import { formatMillis, formatShare, formatTime } from "../dom/format.js";
import { compareAnswer } from "../quality/answer.js";
import { describeMedium, mediumName } from "../quality/describe.js";
import type { MediumKind } from "../quality/needs.js";
import type { Grant } from "../sip/granted.js";
import { type LiveSession, type Phase, type Step, stepsSince } from "../sip/live-session.js";
import type { SipCall } from "../sip/sip-call.js";
import { addressHint } from "./address-hint.js";
import { showOnce } from "./invite-dialog.js";
import { messagesView } from "./messages.js";
import { createNeedEditor } from "./need-editor.js";

const PHASES: Readonly<Record<Phase, string>> = {
  incoming: "invites you",
  inviting: "being invited",
  ringing: "ringing",
  connecting: "connecting",
  active: "in session",
  ended: "ended",
};

const DIFFERENCES = {
  kept: "agreed as offered",
  loosened: "agreed, loosened",
  tightened: "agreed, tightened",
  declined: "without reservation",
} as const;

export interface SessionPanelOptions {
  readonly call: SipCall;
  readonly api: ApiClient;
  readonly announcer: Announcer;
  readonly onClose: () => void;
}

/** Everything of one session but its media. It stays after the end until its user closes it. */
export function sessionPanel({ call, api, announcer, onClose }: SessionPanelOptions): HTMLElement {
  const title = el("h2", { id: "session-title" });
  const state = el("p", { class: "phase" });
  const agreed = el("ul", { class: "agreed" });
  const grants = el("div");
  const log = createLog();
  const end = el("div", { class: "end" });
  const hint = addressHint();
  const change = button("Change needs", () => openChangeDialog(call, announcer));
  const hangUp = button("End session", () => call.hangUp(), { class: "danger" });
  const close = button("Close", onClose);
  const actions = el("div", { class: "actions" }, change, hangUp, close);
  let shown: LiveSession | undefined;
  call.live.subscribe((live) => {
    setText(title, `${live.isCaller ? "You invited" : "Invited by"} ${live.peer}`);
    setText(state, PHASES[live.phase]);
    if (live.phase !== shown?.phase) announcer.say(`${live.peer}: ${PHASES[live.phase]}`);
    change.hidden = live.phase !== "active" || Object.keys(live.offered).length === 0;
    hint.hidden = live.hidesAddresses !== true;
    close.hidden = live.phase !== "ended";
    if (live.phase === "ended" && document.activeElement === hangUp) close.focus();
    hangUp.hidden = live.phase === "ended";
    if (live.offered !== shown?.offered || live.answered !== shown.answered) fill(agreed, ...agreedLines(live));
    if (live.grants !== shown?.grants) fill(grants, grantTable(live.grants, live.media));
    log.show(live.steps);
    if (live.end !== undefined && live.end !== shown?.end) {
      fill(
        end,
        el("p", {}, el("strong", {}, live.end.title)),
        el("p", {}, live.end.detail),
        el("p", {}, live.end.advice),
      );
      announcer.alert(`${live.end.title} ${live.end.detail}`);
    }
    shown = live;
  });
  return el(
    "section",
    { class: "card session", "aria-labelledby": "session-title" },
    title,
    state,
    end,
    hint,
    agreed,
    grants,
    actions,
    log.element,
    messagesView(api, call.callId),
  );
}

function agreedLines({ offered, answered }: LiveSession): readonly HTMLElement[] {
  return Object.entries(offered).map(([name, medium]) => {
    const kind = name as MediumKind;
    if (answered === undefined) return el("li", {}, `Offered: ${describeMedium(kind, medium)}`);
    const said = answered[kind];
    const how = DIFFERENCES[compareAnswer(medium, said)];
    return el("li", {}, `${describeMedium(kind, said ?? medium)}: ${how}`);
  });
}

function grantTable(grants: readonly Grant[], media: readonly MediumKind[]): HTMLElement {
  if (grants.length === 0) return el("p", { class: "quiet" }, "Nothing has been granted.");
  const rows = grants.map((grant) => {
    const kind = media[grant.index];
    return [
      kind === undefined ? String(grant.index) : mediumName(kind),
      grant.by,
      RESULTS[grant.result],
      `${grant.toCallee} / ${grant.toCaller}`,
      grant.phb,
      formatMillis(grant.latency),
      formatMillis(grant.jitter),
      formatShare(grant.loss),
    ];
  });
  const heads = ["Medium", "Policy server", "Result", "kbit/s to callee / caller", "PHB", "Latency", "Jitter", "Loss"];
  return table("What the network granted", heads, rows);
}

const RESULTS = { granted: "granted", reduced: "reduced", bestEffort: "best effort" } as const;

function createLog() {
  const list = el("ol", { class: "steps" });
  let shown: readonly Step[] = [];
  return {
    element: el("details", { open: true }, el("summary", {}, "How it was negotiated"), list),
    show: (steps: readonly Step[]): void => {
      list.append(...stepsSince(steps, shown).map(stepLine));
      while (list.children.length > steps.length) list.firstElementChild?.remove();
      shown = steps;
    },
  };
}

const stepLine = ({ at, what, detail }: Step): HTMLElement =>
  el(
    "li",
    {},
    el("time", { datetime: new Date(at).toISOString() }, formatTime(at)),
    " ",
    el("strong", {}, what),
    ` ${detail}`,
  );

function openChangeDialog(call: SipCall, announcer: Announcer): void {
  const dialog = el("dialog", { "aria-labelledby": "change-title" });
  const { answered, offered, offeredByUs } = call.live.value;
  const current = Object.keys(answered ?? {}).length === 0 ? offered : (answered ?? offered);
  const editor = createNeedEditor(current);
  const status = el("p", { role: "status" });
  const apply = async (): Promise<void> => {
    setText(status, "The other side and both networks are asked.");
    const refused = await call.change(editor.read());
    if (refused === undefined) dialog.close();
    else setText(status, `${refused.title} ${refused.detail} What was agreed before goes on.`);
    announcer.say(refused === undefined ? "The change was granted." : refused.title);
  };
  const note = offeredByUs ? "" : "The invitation was the other side's; a change is yours.";
  showOnce(
    dialog,
    el(
      "div",
      {},
      el("h2", { id: "change-title" }, "Change what the session needs"),
      note !== "" && el("p", { class: "quiet" }, note),
      editor.element,
      status,
      el(
        "div",
        { class: "actions" },
        button("Ask for it", apply, { class: "primary" }),
        button("Leave it", () => dialog.close()),
      ),
    ),
  );
}

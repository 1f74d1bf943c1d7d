/** Somebody invites: accept as it is offered, with other needs, without any, or decline. */
import { button, el } from "../dom/element.js";
import type { AnswerChoice } from "../quality/answer.js";
import { describeMedium } from "../quality/describe.js";
import type { MediumKind } from "../quality/needs.js";
import type { SipCall } from "../sip/sip-call.js";
import { showOnce } from "./invite-dialog.js";
import { createChoiceEditor } from "./need-editor.js";

const WHAT = { game: "a game", audio: "an audio call", video: "a video call" } as const;

export function openIncomingDialog(call: SipCall, onAccepted: () => void): HTMLDialogElement {
  const { peer, activity, offered } = call.live.value;
  const dialog = el("dialog", { "aria-labelledby": "incoming-title", "aria-describedby": "incoming-needs" });
  const editor = createChoiceEditor(offered);
  const accept = (choice: AnswerChoice): void => {
    dialog.close();
    onAccepted();
    void call.accept(choice);
  };
  const decline = (): Promise<void> => {
    dialog.close();
    return call.decline();
  };
  const lines = Object.entries(offered).map(([kind, medium]) =>
    el("li", {}, describeMedium(kind as MediumKind, medium)),
  );
  const hasNeeds = lines.length > 0;
  const adjust = el(
    "details",
    {},
    el("summary", {}, "Accept with other needs"),
    el("p", { class: "quiet" }, "Nothing can be set looser than the worst that was offered."),
    editor.element,
    button("Accept with these", () => accept({ kind: "adjust", choices: editor.read() })),
  );
  const content = el(
    "div",
    {},
    el("h2", { id: "incoming-title" }, `${peer} invites you to ${WHAT[activity]}`),
    el("div", { id: "incoming-needs" }, hasNeeds ? el("ul", {}, ...lines) : "Nothing is asked of the network."),
    el(
      "div",
      { class: "actions" },
      button("Accept", () => accept({ kind: "keep" }), { class: "primary" }),
      hasNeeds && button("Accept without reservation", () => accept({ kind: "decline" })),
      button("Decline", decline),
    ),
    hasNeeds && adjust,
  );
  // Escape says no: whoever invites is not left waiting.
  dialog.addEventListener("cancel", () => void call.decline());
  call.live.subscribe(({ phase }) => {
    if (phase === "ended" && dialog.isConnected) dialog.close();
  });
  return showOnce(dialog, content);
}

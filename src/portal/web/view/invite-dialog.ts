/** What to ask somebody for: the kind of session, and what it needs of the network. */
import type { ClassOffer } from "../api/types.js";
import { button, el, fill } from "../dom/element.js";
import type { SessionQuality } from "../quality/needs.js";
import { ACTIVITIES, type Activity, planOf, presetOf } from "../quality/presets.js";
import { createNeedEditor, type NeedEditor } from "./need-editor.js";

export interface InviteChoice {
  readonly activity: Activity;
  /** Empty: nothing is asked of the network. */
  readonly quality: SessionQuality;
}

/** A modal dialog; the browser keeps the focus in it and gives it back. */
export function openInviteDialog(
  name: string,
  classes: readonly ClassOffer[],
  onInvite: (choice: InviteChoice) => void,
): HTMLDialogElement {
  const dialog = el("dialog", { "aria-labelledby": "invite-title" });
  const editorPlace = el("div");
  let editor: NeedEditor = createNeedEditor({});
  let activity: Activity = "game-fps";
  const reserve = el("input", { type: "checkbox", id: "invite-reserve", checked: true });
  const show = (): void => {
    editor = createNeedEditor(reserve.checked ? presetOf(activity, classes) : {});
    fill(editorPlace, editor.element);
  };
  reserve.addEventListener("change", show);
  const kinds = activityChoice(activity, (chosen) => {
    activity = chosen;
    show();
  });
  show();
  const form = el("form", { method: "dialog" });
  form.append(
    el("h2", { id: "invite-title" }, `Invite ${name}`),
    kinds,
    el("div", { class: "check" }, reserve, el("label", { for: "invite-reserve" }, "Ask the network for quality")),
    editorPlace,
    el(
      "div",
      { class: "actions" },
      el("button", { type: "submit", class: "primary" }, "Send invitation"),
      button("Cancel", () => dialog.close()),
    ),
  );
  form.addEventListener("submit", () => onInvite({ activity, quality: editor.read() }));
  return showOnce(dialog, form);
}

/** Shows a dialog and takes it out of the page when it is closed. */
export function showOnce(dialog: HTMLDialogElement, content: HTMLElement): HTMLDialogElement {
  dialog.append(content);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

function activityChoice(first: Activity, onChoice: (activity: Activity) => void): HTMLElement {
  const radios = ACTIVITIES.map((activity) => {
    const id = `activity-${activity}`;
    const input = el("input", { type: "radio", name: "activity", id, value: activity, checked: activity === first });
    input.addEventListener("change", () => onChoice(activity));
    const { label, sessionClass } = planOf(activity);
    return el("div", { class: "check" }, input, el("label", { for: id }, `${label} (${sessionClass})`));
  });
  return el("fieldset", { class: "row" }, el("legend", {}, "What for"), ...radios);
}

/** Somebody invites: accept as it is offered, with other needs, without any, or decline. */
import { button, el, setUsable } from "../dom/element.js";
import type { AnswerChoice } from "../quality/answer.js";
import { describeMedium } from "../quality/describe.js";
import type { MediumKind } from "../quality/needs.js";
import type { SipCall } from "../sip/sip-call.js";
import { showOnce } from "./invite-dialog.js";
import { createChoiceEditor } from "./need-editor.js";

export interface IncomingOptions {
  readonly call: SipCall;
  /** Where it is shown beside what goes on already. Absent: nothing does. */
  readonly banners?: HTMLElement | undefined;
  readonly onAccepted: () => void;
}

const WHAT = { game: "a game", audio: "an audio call", video: "a video call" } as const;
/** ms. What is pressed so soon after it came was meant for something else. */
const UNMEANT = 700;
let nextId = 0;

/**
 * A modal dialog with the focus on its heading, so that no key accepts by chance; beside a session, or another invitation, a banner,
 * which leaves the keyboard where it is. Escape says no in both: whoever invites is not left waiting.
 */
export function openIncoming({ call, banners, onAccepted }: IncomingOptions): void {
  const id = `incoming-${nextId}`;
  nextId += 1;
  const attributes = { "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-needs` };
  const frame = banners === undefined ? createDialog(attributes) : createBanner(attributes, banners);
  const accept = (choice: AnswerChoice): void => {
    frame.close();
    onAccepted();
    void call.accept(choice);
  };
  const decline = async (): Promise<void> => {
    frame.close();
    await call.decline();
  };
  const { element, choices, no } = createChoices(call, id, { accept, decline });
  const setAll = (usable: boolean): void => {
    for (const choice of choices) setUsable(choice, usable);
  };
  setAll(false);
  window.setTimeout(() => setAll(true), UNMEANT);
  frame.element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    no.click();
  });
  call.live.subscribe(({ phase }) => {
    if (phase === "ended") frame.close();
  });
  frame.element.addEventListener("close", () => void call.decline());
  frame.show(element);
}

interface Frame {
  readonly element: HTMLElement;
  show(content: HTMLElement): void;
  close(): void;
}

type Labels = Readonly<Record<"aria-labelledby" | "aria-describedby", string>>;

function createDialog(labels: Labels): Frame {
  const element = el("dialog", labels);
  return {
    element,
    show: (content) => {
      content.firstElementChild?.setAttribute("autofocus", "");
      showOnce(element, content);
    },
    close: () => element.close(),
  };
}

function createBanner(labels: Labels, banners: HTMLElement): Frame {
  const warning = el("p", {}, "Accepting ends a session that goes on.");
  const element = el("section", { class: "card", ...labels });
  return {
    element,
    show: (content) => {
      content.firstElementChild?.after(warning);
      element.append(content);
      banners.append(element);
    },
    close: () => {
      const isLeft = element.contains(document.activeElement);
      element.remove();
      if (isLeft) document.getElementById("main")?.focus();
    },
  };
}

interface Choices {
  readonly element: HTMLElement;
  readonly choices: readonly HTMLButtonElement[];
  readonly no: HTMLButtonElement;
}

interface Acts {
  readonly accept: (choice: AnswerChoice) => void;
  readonly decline: () => Promise<void>;
}

function createChoices(call: SipCall, id: string, { accept, decline }: Acts): Choices {
  const { peer, activity, offered } = call.live.value;
  const editor = createChoiceEditor(offered);
  const lines = Object.entries(offered).map(([kind, medium]) =>
    el("li", {}, describeMedium(kind as MediumKind, medium)),
  );
  const hasNeeds = lines.length > 0;
  const yes = button("Accept", () => accept({ kind: "keep" }), { class: "primary" });
  const plainly = button("Accept without reservation", () => accept({ kind: "decline" }));
  const no = button("Decline", decline);
  const adjusted = button("Accept with these", () => accept({ kind: "adjust", choices: editor.read() }));
  const adjust = el(
    "details",
    {},
    el("summary", {}, "Accept with other needs"),
    el("p", { class: "quiet" }, "Nothing can be set looser than the worst that was offered."),
    editor.element,
    adjusted,
  );
  const element = el(
    "div",
    {},
    el("h2", { id: `${id}-title`, tabindex: -1 }, `${peer} invites you to ${WHAT[activity]}`),
    el("div", { id: `${id}-needs` }, hasNeeds ? el("ul", {}, ...lines) : "Nothing is asked of the network."),
    el("div", { class: "actions" }, yes, hasNeeds && plainly, no),
    hasNeeds && adjust,
  );
  return { element, choices: [yes, plainly, no, adjusted], no };
}

/** What helps where the browser hides its addresses (mDNS): it shows them to pages that may use the microphone. */
import { button, el, setText } from "../dom/element.js";

/** Says so, and has the browser ask for the microphone. */
export function addressHint(): HTMLElement {
  const status = el("p", { role: "status" });
  const allow = async (): Promise<void> => {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      for (const track of stream.getTracks()) track.stop();
      setText(status, "From the next session on its addresses are shown. Invite again.");
    } catch {
      setText(status, "The browser did not allow it.");
    }
  };
  return el(
    "div",
    { class: "hint" },
    el(
      "p",
      {},
      "This browser hides its addresses, so no network can reserve for it. It shows them to pages that may use the microphone; nothing is recorded.",
    ),
    button("Let this page see the addresses", allow),
    status,
  );
}

/** The messages of an own session, as the provider's roles wrote them down. */
import type { ApiClient } from "../api/client.js";
import { button, el, fill } from "../dom/element.js";
import { ladderPlot } from "../plot/ladder-plot.js";

/** Fetched when they are asked for, and again each time. */
export function messagesView(api: ApiClient, callId: string): HTMLElement {
  const place = el("div", { "aria-live": "polite" });
  const read = async (): Promise<void> => {
    try {
      const { ladder } = await api.sessionDetail(callId);
      fill(place, ladderPlot(ladder));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      fill(place, el("p", { class: "quiet" }, `The provider knows no messages of this session: ${why}.`));
    }
  };
  return el("div", {}, button("Show the provider's messages", read), place);
}

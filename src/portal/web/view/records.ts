/** The user's own billing records, the newest first. */
import type { ApiClient } from "../api/client.js";
import type { BillingRecord } from "../api/types.js";
import { button, el, fill, setText, table } from "../dom/element.js";
import { formatDateTime, formatOctets, formatRate, formatSpan } from "../dom/format.js";

const PAGE = 25;
const HEADS = ["When", "With", "Class", "Reserved", "Time", "In", "Out", "Beyond the profile", "Price", "Shares"];

/** A page of them; more on request. */
export function recordsView(api: ApiClient): HTMLElement {
  const place = el("div");
  const status = el("p", { role: "status", class: "quiet" }, "Loading.");
  let records: readonly BillingRecord[] = [];
  let next: string | null = null;
  const load = async (): Promise<void> => {
    try {
      const page = await api.records(next, PAGE);
      records = [...records, ...page.records];
      next = page.next;
      fill(place, table("Billing records", HEADS, records.map(rowOf)));
      setText(status, records.length === 0 ? "There are no records yet." : `${records.length} records.`);
      more.hidden = next === null;
    } catch (error) {
      setText(status, `The records could not be read: ${error instanceof Error ? error.message : String(error)}.`);
    }
  };
  const more = button("Earlier records", load);
  more.hidden = true;
  void load();
  return el(
    "section",
    { class: "card", "aria-labelledby": "records-title" },
    el("h1", { id: "records-title" }, "Your records"),
    status,
    place,
    more,
  );
}

const rowOf = (record: BillingRecord): readonly string[] => [
  formatDateTime(record.at),
  record.peer,
  record.class,
  formatRate(record.rate),
  formatSpan(record.seconds),
  formatOctets(record.octetsIn),
  formatOctets(record.octetsOut),
  formatOctets(record.outOfProfile),
  record.price === null ? "–" : `${record.price.amount} ${record.price.currency}`,
  record.shares.map(({ provider, amount }) => `${provider}: ${amount}`).join(", "),
];

/** The columns of what users, their sessions and the paths between edges are to a role. */
import type { ShowTopic } from "../control/views.js";
import type { Millis } from "../model/units.js";
import { showDuration } from "./format.js";
import { figure, list, ROLE, rate, type ShowRow, size, type Topic, time, valueAt, word } from "./show-cells.js";
import type { Column } from "./table.js";

type ServiceTopic = Extract<
  ShowTopic,
  "quality" | "stamp" | "registrations" | "live" | "records" | "portal" | "counters"
>;

const short = (value: number): string => String(Number(value.toPrecision(4)));

/** Times of paths are small. */
const delay = (title: string, path: string) => figure(title, path, (value) => `${short(value)} ms`);
const share = (title: string, path: string) => figure(title, path, (value) => `${short(value * 100)} %`);
const span = (title: string, path: string) => figure(title, path, (value) => showDuration(value as Millis));

const whole = (value: unknown): readonly unknown[] => [value];

function liveRows(value: unknown): readonly unknown[] {
  return typeof value === "object" && value !== null && "sessions" in value ? list(value.sessions) : [];
}

/** Counters as rows of their own, with the whole beside the first. */
function portalRows(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null || !("counters" in value)) return [];
  const { counters, ...state } = value;
  return [{ ...state, refused: refusals(counters) }];
}

/** By whatever rule of the door. */
function refusals(counters: unknown): number {
  if (typeof counters !== "object" || counters === null) return 0;
  return Object.entries(counters).reduce(
    (sum, [name, count]) => (name.startsWith("refused.") && typeof count === "number" ? sum + count : sum),
    0,
  );
}

/** `0.0123 EUR`, exact as it came. */
const PRICE: Column<ShowRow> = {
  title: "PRICE",
  align: "right",
  cell: (row) => {
    const [amount, currency] = [valueAt(row, "price.amount"), valueAt(row, "price.currency")];
    return amount === undefined ? "" : `${String(amount)} ${String(currency ?? "")}`.trim();
  },
};

const SHARES: Column<ShowRow> = {
  title: "SHARES",
  align: "left",
  cell: (row) =>
    list(valueAt(row, "shares"))
      .map((item) => {
        const of = (key: string): string => String(valueAt({ ...row, item: { item } }, `item.${key}`) ?? "");
        return `${of("provider")} ${of("amount")}`;
      })
      .join(", "),
};

export const SERVICE_TOPICS: Readonly<Record<ServiceTopic, Topic>> = {
  quality: {
    rows: list,
    columns: [
      ROLE,
      word("POOL", "pool"),
      word("DIRECTION", "direction"),
      delay("LATENCY", "latency"),
      delay("JITTER", "jitter"),
      share("LOSS", "loss"),
      figure("SAMPLES", "samples"),
      span("AGE", "age"),
      word("METHOD", "method"),
    ],
  },
  stamp: {
    rows: whole,
    columns: [
      ROLE,
      word("TIMES", "times"),
      word("CLASSES", "classes"),
      word("SYNCHRONISED", "synchronised"),
      figure("REFLECTING", "reflecting"),
      figure("SENT PKTS", "sent"),
      figure("ANSWERED PKTS", "answered"),
      figure("REFLECTED PKTS", "reflected"),
      figure("REFUSED PKTS", "refused"),
      word("LACKING", "lacking"),
    ],
  },
  registrations: {
    rows: list,
    columns: [
      ROLE,
      word("USER", "user"),
      word("CONTACT", "contact"),
      figure("Q", "q"),
      word("TRANSPORT", "transport"),
      word("FROM", "from"),
      word("CONNECTED", "connected"),
      word("AGENT", "agent"),
      time("SINCE", "since"),
      time("EXPIRES", "expires"),
    ],
  },
  live: {
    rows: liveRows,
    columns: [
      ROLE,
      word("SESSION", "session"),
      figure("UP PKTS", "up.inProfile.packets"),
      size("UP OCTETS", "up.inProfile.octets"),
      size("UP OUT OCTETS", "up.outOfProfile.octets"),
      figure("DOWN PKTS", "down.inProfile.packets"),
      size("DOWN OCTETS", "down.inProfile.octets"),
      size("DOWN OUT OCTETS", "down.outOfProfile.octets"),
      time("MEDIA", "moved"),
      time("EXPIRES", "expires"),
    ],
  },
  records: {
    rows: list,
    columns: [
      ROLE,
      time("ENDED", "at"),
      word("SESSION", "session"),
      word("USER", "user"),
      word("PEER", "peer"),
      word("CLASS", "class"),
      word("RESULT", "result"),
      rate("RATE", "rate"),
      figure("DURATION", "seconds", (value) => showDuration((value * 1000) as Millis)),
      size("IN OCTETS", "octetsIn"),
      size("OUT OCTETS", "octetsOut"),
      size("OUT OF PROFILE", "outOfProfile"),
      PRICE,
      SHARES,
      word("BASIS", "basis"),
    ],
  },
  portal: {
    rows: portalRows,
    columns: [
      ROLE,
      figure("USERS", "users"),
      figure("LOG-INS", "logins"),
      figure("PAGES", "pages"),
      figure("CONNECTIONS", "connections"),
      figure("REFUSED", "refused"),
      time("CERTIFICATE UNTIL", "certificateUntil"),
    ],
  },
  counters: {
    rows: list,
    columns: [ROLE, word("COUNTER", "counter"), word("KIND", "kind"), figure("VALUE", "value")],
  },
};

/** The columns of each `sluice show` table. */
import type { ShowTopic } from "../control/views.js";
import { describeDscp } from "../model/phb.js";
import type { Dscp, Millis } from "../model/units.js";
import { showDuration } from "./format.js";
import { COUNTERS, figure, list, ROLE, rate, size, type Topic, time, word, words } from "./show-cells.js";
import { SERVICE_TOPICS } from "./show-services.js";

/** A router's answer has its classes inside: each becomes a row, with the state of the whole beside it. */
function kernelRows(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null || !("classes" in value)) return [];
  const { classes, ...whole } = value;
  return list(classes).map((item) => ({ ...whole, class: item }));
}

/** As above; a router without sessions still has a row. */
function rsvpRows(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null || !("sessions" in value)) return [];
  const { sessions, ...whole } = value;
  const found = list(sessions);
  return found.length === 0 ? [whole] : found.map((item) => ({ ...whole, session: item }));
}

/** What was decided is left to JSON. */
function reservationRows(value: unknown): readonly unknown[] {
  return typeof value === "object" && value !== null && "reservations" in value ? list(value.reservations) : [];
}

export const TOPICS: Readonly<Record<ShowTopic, Topic>> = {
  sessions: {
    rows: list,
    columns: [
      ROLE,
      word("SESSION", "session"),
      word("CALLER", "caller"),
      word("CALLEE", "callee"),
      word("SIDE", "side"),
      word("STATE", "state"),
      word("TREATMENT", "treatment"),
      word("CLASS", "class"),
      words("GRANTS", "grants", "result"),
      rate("RATE", "rate"),
      time("SINCE", "since"),
      time("MEDIA", "moved"),
    ],
  },
  policies: {
    rows: list,
    columns: [
      ROLE,
      figure("ID", "id"),
      word("SESSION", "session"),
      word("FLOW", "flow"),
      { ...figure("DSCP", "dscp", (value) => describeDscp(value as Dscp)), align: "left" },
      word("POOL", "pool"),
      rate("RATE", "rate"),
      ...COUNTERS,
    ],
  },
  pools: {
    rows: list,
    columns: [
      ROLE,
      word("POOL", "name"),
      figure("ID", "id"),
      rate("RATE", "rate"),
      rate("USED", "used"),
      rate("FREE", "free"),
      rate("RESERVED", "reserved"),
      figure("SESSIONS", "sessions"),
      figure("WAITING", "waiting"),
    ],
  },
  communities: {
    rows: list,
    columns: [
      ROLE,
      word("COMMUNITY", "name"),
      word("OWN", "own"),
      words("PREFIXES", "prefixes"),
      words("DOMAINS", "domains"),
      word("ROUTER", "router"),
      word("EDGE", "edge"),
      words("POOLS", "pools", "name"),
      figure("SESSIONS", "sessions"),
    ],
  },
  kernel: {
    rows: kernelRows,
    columns: [
      ROLE,
      word("STRUCTURE", "structure"),
      figure("FLOWS", "flows"),
      word("INTERFACE", "class.interface"),
      word("CLASS", "class.kind"),
      word("POOL", "class.pool"),
      rate("RATE", "class.rate"),
      figure("SENT PKTS", "class.sent.packets"),
      size("SENT OCTETS", "class.sent.octets"),
      figure("DROPPED", "class.dropped"),
      size("BACKLOG", "class.backlog"),
    ],
  },
  reconcile: {
    rows: list,
    columns: [
      ROLE,
      word("BACKEND", "backend"),
      figure("PASSES", "passes"),
      time("LAST", "lastPass.at"),
      figure("TOOK", "lastPass.duration", (value) => showDuration(value as Millis)),
      word("OK", "lastPass.ok"),
      figure("DIFFERENCES", "lastPass.differences"),
      figure("REPAIRS", "repairs"),
      figure("FAILURES", "failures"),
      figure("PENDING", "pending"),
      word("DETAIL", "detail"),
    ],
  },
  rsvp: {
    rows: rsvpRows,
    columns: [
      ROLE,
      word("TRANSPORT", "transport"),
      word("AS", "session.role"),
      word("SENDER", "session.sender"),
      word("DESTINATION", "session.destination"),
      { ...figure("DSCP", "session.dscp", (value) => describeDscp(value as Dscp)), align: "left" },
      word("POOL", "session.pool"),
      rate("WANTED", "session.wanted"),
      rate("GRANTED", "session.granted"),
      word("PREVIOUS HOP", "session.previousHop"),
      word("NEXT HOP", "session.nextHop"),
      word("FAILURE", "session.failure"),
    ],
  },
  reservations: {
    rows: reservationRows,
    columns: [
      ROLE,
      word("ROUTER", "router"),
      word("FLOW", "flow"),
      rate("RATE", "rate"),
      word("RULE", "rule"),
      word("COMMITTED", "committed"),
      time("SINCE", "since"),
    ],
  },
  tunnels: {
    rows: list,
    columns: [
      ROLE,
      figure("ID", "id"),
      word("TUNNEL", "name"),
      word("KIND", "kind"),
      word("OUTER FLOW", "outer"),
      figure("MTU", "mtu"),
      figure("FLOWS", "flows"),
      figure("PKTS", "carried.packets"),
      size("OCTETS", "carried.octets"),
      word("STATE", "state"),
    ],
  },
  peers: {
    rows: list,
    columns: [
      ROLE,
      word("PEER", "name"),
      word("ADDRESS", "address"),
      word("PROTOCOL", "protocol"),
      word("STATE", "state"),
      time("SINCE", "since"),
    ],
  },
  usage: {
    rows: list,
    columns: [
      ROLE,
      word("SESSION", "session"),
      word("REPORTER", "reporter"),
      word("SIDE", "side"),
      word("CALLER", "caller"),
      word("CALLEE", "callee"),
      time("START", "start"),
      figure("DURATION", "duration", (value) => showDuration(value as Millis)),
      ...COUNTERS,
      word("CAUSE", "cause"),
    ],
  },
  ...SERVICE_TOPICS,
};

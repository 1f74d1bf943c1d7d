/** RSVP reservations of routers decided by the policy server, as its configuration wants it. */
import type { PdpRsvpConfig } from "../config/pdp-rsvp.js";
import type { ReservationsView, ReservationView } from "../control/reservation-views.js";
import type { ControlQuery, ControlRoute } from "../control/server.js";
import type { PdpHandlers } from "../cops/endpoint/pdp-handlers.js";
import { CLIENT_TYPE_RSVP } from "../cops/rsvp/codes.js";
import type { Clock } from "../model/clock.js";
import { SystemError } from "../model/errors.js";
import { parseAddress } from "../model/ip.js";
import type { Logger } from "../model/log.js";
import { type Millis, seconds } from "../model/units.js";
import { ReservationLink } from "../pdp/rsvp/reservation-link.js";
import { describeAsk } from "../pdp/rsvp/reservation-reading.js";
import { ReservationRules } from "../pdp/rsvp/reservation-rules.js";
import type { GrantedReservation } from "../pdp/rsvp/reservation-table.js";
import { withReservations } from "../pdp/rsvp/with-reservations.js";
import type { Cleanup } from "./role.js";

export interface ReservationControl {
  readonly link: ReservationLink;
  /** COPS client-types that the server has to accept besides. */
  readonly clientTypes: readonly number[];
  /** Puts it before what handles the other client-types. */
  readonly over: (others: PdpHandlers) => PdpHandlers;
  readonly show: () => ReservationsView;
  /** By the path after `/v1/`. */
  readonly actions: Readonly<Record<string, ControlRoute>>;
  readonly problems: () => readonly string[];
}

export interface ReservationControlParts {
  readonly rsvp: PdpRsvpConfig;
  /** Of the server's connections. */
  readonly keepAlive: Millis;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cleanup: Pick<Cleanup, "add">;
}

export function openReservationControl(parts: ReservationControlParts): ReservationControl {
  const { rsvp, keepAlive, clock, log, cleanup } = parts;
  const link = new ReservationLink({
    routers: new Set(rsvp.routers),
    rules: new ReservationRules(rsvp.allow),
    maxReservations: rsvp.maxReservations,
    keepAlive: keepAlive / 1000,
    clock,
    log,
  });
  cleanup.add(() => link.close());
  const connected = (): ReadonlySet<string> => new Set(link.peers().map(({ pepId }) => pepId));
  return {
    link,
    clientTypes: [CLIENT_TYPE_RSVP],
    over: (others) => withReservations(others, link),
    show: () => ({ reservations: link.reservations().map(viewOf), decisions: link.decisions() }),
    actions: { "reservations/withdraw": async (query) => withdraw(link, query) },
    problems: () =>
      rsvp.routers.filter((name) => !connected().has(name)).map((name) => `router ${name} asks nobody here about RSVP`),
  };
}

const viewOf = ({ router, ask, rule, since, committed }: GrantedReservation): ReservationView => ({
  router,
  flow: describeAsk(ask),
  rate: ask.rate,
  rule,
  since,
  committed,
});

/** Receivers ask again with each refresh: for so long they are refused. */
const BLOCKED_FOR = seconds(600);

/** Of a router those to one destination, or all. @throws SystemError CONTROL_QUERY */
function withdraw(link: ReservationLink, { router = "", to }: ControlQuery): readonly ReservationView[] {
  const destination = to === undefined ? undefined : parseAddress(to);
  if (router === "" || (to !== undefined && destination === undefined)) {
    const remedy = "name a router and, for those to one destination only, its address as `to`";
    throw new SystemError("CONTROL_QUERY", "this does not say what to take back", { remedy });
  }
  const taken = link.withdraw(
    (granted) =>
      granted.router === router && (destination === undefined || granted.ask.session.destination === destination),
    BLOCKED_FOR,
  );
  return taken.map(viewOf);
}

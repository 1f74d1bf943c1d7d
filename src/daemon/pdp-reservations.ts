/** Which pools of the policy server the network reserves, and how. */
import type { PdpConfig } from "../config/pdp.js";
import { tunnelOfPool } from "../config/pool-tunnels.js";
import { dscpOf } from "../model/phb.js";
import { millis, octets } from "../model/units.js";
import { InstantReservations, type ReservationEvents } from "../pdp/pools/reservation-port.js";
import { type ReservedPool, RsvpReservations, type RsvpReservationsOptions } from "../pdp/pools/rsvp-reservations.js";
import type { RoleContext } from "./role.js";

type Pool = PdpConfig["pools"][number];

/** What a pool without a sizing waits for an answer. */
const FIXED_GROW_TIMEOUT = millis(400);
/** Less than sessions wait, so that a part that was granted is told before they are turned away. */
const PATIENCE = 0.75;

/** The network for pools with `reserve: rsvp`; all others are there as soon as they are asked for. */
export function openReservations(
  { config, clock, log, cleanup }: RoleContext<PdpConfig>,
  { events, reserve }: { readonly events: () => ReservationEvents } & Pick<RsvpReservationsOptions, "reserve">,
): RsvpReservations {
  const others = new InstantReservations(events);
  const reservations = new RsvpReservations({ pools: reservedPools(config), others, reserve, events, clock, log });
  cleanup.add(() => reservations.close());
  return reservations;
}

/**
 * The pools that our router reserves. A pool in one direction towards our router is reserved by the router at its other
 * end, and kept to by the policy server there: each of its sessions needs that server's word as well.
 */
export function reservedPools(config: PdpConfig): readonly ReservedPool[] {
  return config.pools.flatMap((pool) => reservedPool(pool, config) ?? []);
}

function reservedPool(pool: Pool, config: PdpConfig): ReservedPool | undefined {
  const { access, communities, classes } = config;
  if (pool.reserve === "none") return undefined;
  const end = (name: string | undefined) => communities.find((community) => community.name === name);
  const [from, to] = [end(pool.from), end(pool.to)];
  const isSender = from?.router === access.router;
  const isReceiver = to?.router === access.router && pool.direction === "both";
  const remote = isSender ? to?.edge : isReceiver ? from?.edge : undefined;
  const serviceClass = classes.find(({ name }) => name === pool.class);
  if (remote === undefined || serviceClass === undefined) return undefined;
  const tunnel = tunnelOfPool(pool, config);
  const growTimeout = pool.sizing === "fixed" ? FIXED_GROW_TIMEOUT : pool.sizing.growTimeout;
  return {
    name: pool.name,
    id: pool.id,
    remote,
    dscp: dscpOf(serviceClass.phb),
    direction: pool.direction,
    ceiling: pool.sizing === "fixed" ? pool.rate : pool.sizing.ceiling,
    patience: millis(Math.ceil(growTimeout * PATIENCE)),
    // The network sees a tunnel's packets, not those inside.
    packetSize: octets(serviceClass.packetSize + (tunnel?.overhead ?? 0)),
    linkOverhead: access.linkOverhead,
    ...(tunnel === undefined ? {} : { tunnel: tunnel.number }),
  };
}

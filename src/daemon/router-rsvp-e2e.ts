/** The router as an edge for hosts that speak RSVP (RFC 3175), where its configuration has an exterior interface. */
import type { RsvpConfig } from "../config/rsvp.js";
import { endToEndOf } from "../config/rsvp-e2e.js";
import type { Clock } from "../model/clock.js";
import type { Logger } from "../model/log.js";
import { dscpOf } from "../model/phb.js";
import { bytesPerSecond } from "../model/units.js";
import { EndToEndEdge } from "../pep/router/rsvp/e2e-edge.js";
import type { TransportOptions } from "../rsvp/endpoint/transport-options.js";

/** Undefined for a router that aggregates for nobody. */
export function endToEndEdge(
  rsvp: RsvpConfig,
  { clock, log }: { clock: Clock; log: Logger },
): EndToEndEdge | undefined {
  const { address, interfaces, ceiling, refresh } = rsvp;
  const { phb, step } = endToEndOf(rsvp.endToEnd);
  const exterior = new Set(interfaces.flatMap(({ name, side }) => (side === "exterior" ? [name] : [])));
  if (address === undefined || exterior.size === 0) return undefined;
  return new EndToEndEdge({
    address,
    exterior,
    codePoint: dscpOf(phb),
    ceiling: bytesPerSecond(ceiling / 8),
    block: bytesPerSecond(step / 8),
    refresh,
    clock,
    log,
  });
}

/** What its transport has to take: an edge also RSVP-E2E-IGNORE, of the level of its region (RFC 3175 §1.4.9). */
export const receivedBy = (edge: EndToEndEdge | undefined): Pick<TransportOptions, "protocols" | "alerts"> =>
  edge === undefined ? { protocols: ["rsvp"], alerts: [0] } : { protocols: ["rsvp", "e2eIgnore"], alerts: [0, 1] };

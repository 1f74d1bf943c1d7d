/** Who asks, where HTTP proxies stand between. */
import { type IpAddress, parseAddress, unmapped } from "./ip.js";

/**
 * The address that a request came from: the nearest in X-Forwarded-For that no trusted proxy has, since anybody may write
 * what is farther. That of the connection if no trusted proxy has it, or says none.
 * @param peer - as the socket tells it
 * @param header - X-Forwarded-For; several of them joined by commas
 */
export function forwardedSource(peer: string, header: string | undefined, trusted: ReadonlySet<IpAddress>): string {
  const nearest = unmapped(peer);
  if (header === undefined || !trusted.has(nearest)) return nearest;
  for (const hop of header.split(",").toReversed()) {
    const address = parseAddress(unmapped(hop.trim()));
    if (address === undefined) return nearest;
    if (!trusted.has(address)) return address;
  }
  return nearest;
}

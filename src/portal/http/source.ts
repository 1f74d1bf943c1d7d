/** Where a request came from. */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { unmapped } from "../../model/ip.js";

/**
 * The address that it came from: the nearest in X-Forwarded-For that no trusted proxy has, since anybody may write
 * what is farther.
 */
export function sourceOf(request: IncomingMessage, trusted: ReadonlySet<string>): string {
  const peer = unmapped(request.socket.remoteAddress ?? "");
  if (!trusted.has(peer)) return peer;
  const header = request.headers["x-forwarded-for"];
  const hops = (typeof header === "string" ? header : "").split(",").map((hop) => unmapped(hop.trim()));
  const nearest = hops.findLast((hop) => !trusted.has(hop));
  return nearest !== undefined && isIP(nearest) !== 0 ? nearest : peer;
}

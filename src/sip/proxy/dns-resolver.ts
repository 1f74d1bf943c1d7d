/** Names of next hops by RFC 3263: what the forwarder asks when a hop is no address. */
import type { DnsLocator } from "../location/dns-locator.js";
import { localFor, type SipTransport } from "../transport/transport.js";
import type { HostResolver } from "./options.js";

/** The first server that there is a local address to reach from. One that does not answer is not gone round (§4.3). */
export function dnsResolver(locator: DnsLocator, transport: Pick<SipTransport, "locals">): HostResolver {
  return async ({ host, port, transport: wanted }) => {
    const servers = await locator.locate({ host, port, transport: wanted });
    return servers.find((server) => localFor(transport, server) !== undefined);
  };
}

/** Schema of a clearinghouse. */
import { z } from "zod";
import { millis } from "../model/units.js";
import { directoryKeys } from "./clearinghouse-directory.js";
import { checkShares, DEFAULT_SHARES, priceKeys, shareKeys } from "./clearinghouse-prices.js";
import { type CrossProblem, commonKeys, duplicateNames, duplicates } from "./common.js";
import { type PathContext, pathValue } from "./paths.js";
import { domainName, ipAddress, socketAddress, time } from "./scalars.js";

const peerKeys = () =>
  z.strictObject({
    name: domainName().describe("Name of the peer's policy server."),
    addresses: z.array(ipAddress()).min(1).max(64).describe("Addresses that its requests come from."),
    domains: z.array(domainName()).min(1).max(256).describe("Domains that it speaks for."),
  });

const destinationKeys = () =>
  z.strictObject({
    domain: domainName().describe("Domain of the callee."),
    signal: socketAddress().describe("Where the domain's proxy receives SIP."),
  });

export const clearinghouseSchema = (context: PathContext) =>
  z.strictObject({
    ...commonKeys("clearinghouse", context),
    osp: z
      .strictObject({
        listen: socketAddress().describe("Where OSP over HTTP is accepted."),
        path: z
          .string()
          .regex(/^\/[A-Za-z0-9._~/-]{0,127}$/, { error: 'an HTTP path begins with "/"' })
          .default("/osp")
          .meta({ kind: "an HTTP path", example: "/osp" })
          .describe("The path of the one resource."),
      })
      .describe("The OSP server."),
    signing: z
      .strictObject({
        key: pathValue(context).describe("PEM file of the private key that signs tokens."),
        certificate: pathValue(context).describe("PEM file of its certificate."),
      })
      .describe("What tokens are signed with."),
    peers: z.array(peerKeys()).min(1).max(10_000).describe("Policy servers that may ask."),
    destinations: z.array(destinationKeys()).min(1).max(10_000).describe("Where calls to each domain go."),
    token: z
      .strictObject({ lifetime: time().default(millis(300_000)).describe("How long a token may be used.") })
      .default({ lifetime: millis(300_000) })
      .describe("What tokens say."),
    prices: z
      .array(priceKeys())
      .max(10_000)
      .default([])
      .describe("What sessions cost. The first rule that fits decides; what none fits is free."),
    shares: shareKeys().default(DEFAULT_SHARES).describe("Who gets how much of a price."),
    settleAfter: time()
      .default(millis(3_600_000))
      .describe("How long after the report of one side a session is priced without that of the other."),
    directory: directoryKeys().optional().describe("Nick names that all providers share. Absent: there are none."),
  });

export type ClearinghouseConfig = z.output<ReturnType<typeof clearinghouseSchema>>;

export function checkClearinghouse(config: ClearinghouseConfig): readonly CrossProblem[] {
  const { peers, destinations, shares } = config;
  // A request is known by its source address, so that an address may stand for one peer only.
  const addresses = peers.flatMap((peer, index) =>
    peer.addresses.map((address, at) => ({ address, path: ["peers", index, "addresses", at] })),
  );
  return [
    ...checkShares(shares),
    ...duplicateNames(peers, "peer", ["peers"]),
    ...duplicates(
      addresses,
      "address",
      (item) => item.address,
      (index) => addresses[index]?.path ?? ["peers"],
    ),
    ...duplicates(
      destinations,
      "domain",
      (item) => item.domain,
      (index) => ["destinations", index, "domain"],
    ),
  ];
}

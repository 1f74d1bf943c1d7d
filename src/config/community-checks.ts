/** What must fit together in a policy server's communities and links. */
import { type IpPrefix, parsePrefix, prefixContains } from "../model/ip.js";
import { type CrossProblem, duplicateNames, duplicates } from "./common.js";
import type { PdpConfig } from "./pdp.js";
import { prefixOverlaps } from "./prefix-overlap.js";
import { unknownName } from "./unknown-name.js";

export function checkCommunities(config: PdpConfig): readonly CrossProblem[] {
  const { communities, links } = config;
  const names = new Set(communities.map(({ name }) => name));
  return [
    ...duplicateNames(communities, "community", ["communities"]),
    ...checkDomains(config),
    ...checkPrefixes(config),
    ...checkOwn(config),
    ...links.flatMap(({ behind }, index) =>
      behind.flatMap((name, place) => unknownName("community", name, names, ["links", index, "behind", place])),
    ),
  ];
}

function checkDomains({ communities }: PdpConfig): readonly CrossProblem[] {
  const places = communities.flatMap(({ domains }, index) =>
    domains.map((domain, place) => ({ domain, path: ["communities", index, "domains", place] })),
  );
  return duplicates(
    places,
    "domain",
    ({ domain }) => domain,
    (index) => places[index]?.path ?? [],
  );
}

/**
 * Packets are told apart by address alone, by routers as well as here. Tunnels do not change that: a packet out of one is
 * delivered by its destination address, as every other, and on its way back the same address leads to one place only.
 */
function checkPrefixes({ communities }: PdpConfig): readonly CrossProblem[] {
  const items = communities.flatMap(({ name, prefixes }, index) =>
    prefixes.map((prefix, place) => ({ prefix, owner: index, name, place })),
  );
  const overlaps = prefixOverlaps(items.map((item, number) => ({ ...item, number })));
  return overlaps.map(({ inner, outer }) => {
    const [at, other] = inner.number > outer.number ? [inner, outer] : [outer, inner];
    return {
      path: ["communities", at.owner, "prefixes", at.place],
      message: `${at.prefix} overlaps ${other.prefix} of community "${other.name}": routes cannot tell their packets apart, out of separate tunnels neither`,
      remedy: "give each community addresses of its own, or translate those of one before its edge",
    };
  });
}

/** Users of this server must belong to a community, or no pool would ever be found for them. */
function checkOwn({ access, communities, domain }: PdpConfig): readonly CrossProblem[] {
  if (communities.length === 0) return [];
  const own = communities.filter(({ router }) => router === access.router);
  if (own.length === 0) {
    const message = `no community has router "${access.router}"`;
    return [{ path: ["access", "router"], message, remedy: "make it the router of a community" }];
  }
  const prefixes = own.flatMap((community) => community.prefixes.flatMap((text) => parsePrefix(text) ?? []));
  const stray = access.prefixes.flatMap((text, index): CrossProblem[] => {
    const inner = parsePrefix(text);
    if (inner === undefined || prefixes.some((outer) => holds(outer, inner))) return [];
    const message = `${text} is in no community of router "${access.router}"`;
    return [{ path: ["access", "prefixes", index], message, remedy: "add it to the prefixes of one" }];
  });
  if (own.some(({ domains }) => domains.includes(domain))) return stray;
  const message = `domain "${domain}" is in no community of router "${access.router}"`;
  return [...stray, { path: ["domain"], message, remedy: "add it to the domains of one" }];
}

const holds = (outer: IpPrefix, inner: IpPrefix): boolean =>
  outer.length <= inner.length && prefixContains(outer, inner.address);

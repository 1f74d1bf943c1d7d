/** What must fit together in a policy server's pools. */
import type { BitsPerSecond } from "../model/units.js";
import { type CrossProblem, duplicates } from "./common.js";
import { checkEdges } from "./edge-checks.js";
import type { PdpConfig } from "./pdp.js";
import { formatRate } from "./quantities.js";
import { checkTunnels } from "./tunnel-checks.js";
import { unknownName } from "./unknown-name.js";

type Pool = PdpConfig["pools"][number];
type Link = PdpConfig["links"][number];

/** What pools may name. */
interface Known {
  readonly communities: ReadonlySet<string>;
  readonly classes: ReadonlySet<string>;
  readonly links: ReadonlyMap<string, Link>;
  /** The links that a community is behind. */
  readonly behind: ReadonlyMap<string, ReadonlySet<Link>>;
}

/** The most that a pool may ever come to. */
export const mostOf = ({ rate, sizing, schedule }: Pool): BitsPerSecond =>
  sizing === "fixed" ? (Math.max(rate, ...schedule.map((time) => time.rate)) as BitsPerSecond) : sizing.ceiling;

export function checkPools(config: PdpConfig): readonly CrossProblem[] {
  const { links, pools } = config;
  const known = knownIn(config);
  const named = [
    ...pools.map(({ name }, index) => ({ name, path: ["pools", index, "name"] })),
    ...links.map(({ name }, index) => ({ name, path: ["links", index, "name"] })),
  ];
  const taken = duplicates(
    named,
    "name",
    ({ name }) => name,
    (index) => named[index]?.path ?? [],
  );
  return [
    // Two pools of one name are told by the pools' own check.
    ...taken.filter(({ path }) => path[0] === "links"),
    ...checkPairs(config),
    ...checkEdges(config),
    ...checkTunnels(config),
    ...pools.flatMap((pool, index) => [
      ...checkEnds(known, pool, index),
      ...checkLinks(known, pool, index),
      ...checkSizing(pool, index),
      ...checkSchedule(pool, index),
    ]),
  ];
}

function knownIn({ classes, communities, links }: PdpConfig): Known {
  const behind = new Map<string, Set<Link>>(communities.map(({ name }) => [name, new Set()]));
  for (const link of links) {
    for (const community of link.behind) behind.get(community)?.add(link);
  }
  return {
    communities: new Set(behind.keys()),
    classes: new Set(classes.map(({ name }) => name)),
    links: new Map(links.map((link) => [link.name, link])),
    behind,
  };
}

/** From, to and class belong together; each must be there. */
function checkEnds({ communities, classes }: Known, pool: Pool, index: number): readonly CrossProblem[] {
  const { from, to } = pool;
  const keys = ["from", "to", "class"] as const;
  const given = keys.filter((key) => pool[key] !== undefined);
  const at = (key: string): CrossProblem["path"] => ["pools", index, key];
  if (given.length === 0) {
    if (pool.direction === "both" && pool.links === undefined) return [];
    const message = `pool "${pool.name}" is not between communities, so it has no direction and no links`;
    return [{ path: at("name"), message, remedy: "add from, to and class, or take those keys away" }];
  }
  if (given.length < keys.length) {
    const message = `pool "${pool.name}" has ${given.join(" and ")} without the others`;
    return [{ path: at(given[0] ?? "name"), message, remedy: "a pool between communities needs from, to and class" }];
  }
  if (from === to) {
    const message = `both ends of pool "${pool.name}" are ${from}`;
    return [{ path: at("to"), message, remedy: "name two communities" }];
  }
  return [
    ...unknownName("community", from ?? "", communities, at("from")),
    ...unknownName("community", to ?? "", communities, at("to")),
    ...unknownName("class", pool.class ?? "", classes, at("class")),
  ];
}

/** One pool at most for two communities, a class and a direction: else nobody could say which is drawn on. */
function checkPairs({ pools }: PdpConfig): readonly CrossProblem[] {
  const first = new Map<string, string>();
  return pools.flatMap((pool, index): CrossProblem[] => {
    const { name, from, to, class: serviceClass, direction } = pool;
    if (from === undefined || to === undefined || serviceClass === undefined) return [];
    const forward = `${serviceClass} from ${from} to ${to}`;
    const ways = direction === "both" ? [forward, `${serviceClass} from ${to} to ${from}`] : [forward];
    const clash = ways.find((way) => first.has(way));
    for (const way of ways) first.set(way, first.get(way) ?? name);
    if (clash === undefined) return [];
    const message = `pool "${name}" is for ${clash}, as pool "${first.get(clash)}" is already`;
    return [{ path: ["pools", index, "name"], message, remedy: "make one pool of them, or give each one direction" }];
  });
}

function checkLinks({ links, behind }: Known, pool: Pool, index: number): readonly CrossProblem[] {
  const { from, to } = pool;
  if (from === undefined || to === undefined) return [];
  const [near, far] = [behind.get(from) ?? new Set<Link>(), behind.get(to) ?? new Set<Link>()];
  const between = (link: Link): boolean => near.has(link) !== far.has(link);
  const wrong = (pool.links ?? []).flatMap((name, place): readonly CrossProblem[] => {
    const path = ["pools", index, "links", place];
    const link = links.get(name);
    if (link === undefined) return unknownName("link", name, links.keys(), path);
    if (between(link)) return [];
    const message = `link "${name}" is not between ${from} and ${to}`;
    return [{ path, message, remedy: "a link on the way has one of the two behind it, and not the other" }];
  });
  const most = mostOf(pool);
  const way =
    pool.links === undefined ? [...near, ...far].filter(between) : pool.links.flatMap((name) => links.get(name) ?? []);
  const narrow = way.find((link) => link.rate < most);
  if (narrow === undefined) return wrong;
  const message = `pool "${pool.name}" may come to ${formatRate(most)}, link "${narrow.name}" has ${formatRate(narrow.rate)}`;
  return [...wrong, { path: ["pools", index, "name"], message, remedy: "lower the pool, or raise the link" }];
}

function checkSizing({ name, sizing, rate, overhead }: Pool, index: number): readonly CrossProblem[] {
  const at = (key: string): CrossProblem["path"] => ["pools", index, "sizing", key];
  if (sizing === "fixed") return overhead < rate ? [] : [overheadProblem(name, index)];
  const { floor, ceiling } = sizing;
  if (floor > ceiling) return [{ path: at("ceiling"), message: "the ceiling is below the floor", remedy: "raise it" }];
  return overhead < ceiling ? [] : [overheadProblem(name, index)];
}

const overheadProblem = (name: string, index: number): CrossProblem => ({
  path: ["pools", index, "overhead"],
  message: `the overhead leaves nothing of pool "${name}" for sessions`,
  remedy: "lower it, or raise the pool",
});

function checkSchedule({ schedule, sizing }: Pool, index: number): readonly CrossProblem[] {
  return schedule.flatMap(({ from, to, rate }, place): CrossProblem[] => {
    const at = (key: string): CrossProblem["path"] => ["pools", index, "schedule", place, key];
    if (from === to) return [{ path: at("to"), message: "the time ends when it begins", remedy: "make it longer" }];
    if (sizing === "fixed" || rate <= sizing.ceiling) return [];
    return [{ path: at("rate"), message: "the floor of this time is above the ceiling", remedy: "lower it" }];
  });
}

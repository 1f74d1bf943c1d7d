/** What a pool carries as elements of the carry maps: outgoing interface and match -> HTB class. Pure. */
import { addressFromBytes, addressToBytes } from "../../model/ip.js";
import { describeMatch, isOn } from "../aggregate-match.js";
import type { EchoedElement, ElementChange } from "../netlink/nf-tables.js";
import { hostU32, hostU32Octets } from "../netlink/octets.js";
import type { AggregateMatch, ManagedInterface, PoolClass, PoolId } from "../port.js";
import { classHandle, minorOf } from "../tc/difference.js";
import { minorOfPool, poolOfMinor } from "../tc/tree.js";
import { type CarrySet, carryingLinks, carrySetOf, type FlowMatch, parseCarrySet } from "./carry-sets.js";

type Links = readonly Pick<ManagedInterface, "name">[];

const NAME_LENGTH = 16;
const FIELD = 4;

function encodeName(name: string): Buffer {
  const octets = Buffer.alloc(NAME_LENGTH);
  octets.write(name, 0, NAME_LENGTH - 1, "latin1");
  return octets;
}

const portOctets = (port: number): Buffer => Buffer.from([port >>> 8, port & 0xff, 0, 0]);

/** Concatenated fields, each padded to four octets. */
function encodeFlow({ protocol, source, destination }: FlowMatch): Buffer {
  const parts = [Buffer.from([protocol, 0, 0, 0]), addressToBytes(source.address)];
  if (source.port !== undefined) parts.push(portOctets(source.port));
  parts.push(addressToBytes(destination.address));
  if (destination.port !== undefined) parts.push(portOctets(destination.port));
  return Buffer.concat(parts);
}

/** One packet's way into a class. */
interface Carried {
  readonly interface: string;
  readonly match: AggregateMatch;
}

/** Undefined for a key that we never make. */
function decodeKey(set: CarrySet, key: Buffer): Carried | undefined {
  if (set.by === "codePoint") {
    if (key.length !== NAME_LENGTH) return undefined;
    const end = key.indexOf(0);
    return { interface: key.toString("latin1", 0, end), match: { by: "codePoint", dscp: set.dscp } };
  }
  const width = set.family === 4 ? 4 : 16;
  const portAt = FIELD + width;
  const destinationAt = portAt + (set.ports === "both" ? FIELD : 0);
  const length = destinationAt + width + (set.ports === "none" ? 0 : FIELD);
  if (key.length !== length) return undefined;
  const source = addressFromBytes(key.subarray(FIELD, portAt));
  const destination = addressFromBytes(key.subarray(destinationAt, destinationAt + width));
  const match: FlowMatch = {
    by: "flow",
    protocol: key[0] ?? 0,
    source: set.ports === "both" ? { address: source, port: key.readUInt16BE(portAt) } : { address: source },
    destination:
      set.ports === "none"
        ? { address: destination }
        : { address: destination, port: key.readUInt16BE(destinationAt + width) },
  };
  return { interface: set.interface, match };
}

/** Undefined for what is no class of a pool. */
export function poolIn(data: Buffer | undefined): PoolId | undefined {
  if (data?.length !== 4) return undefined;
  const handle = hostU32(data, 0);
  const minor = minorOf(handle);
  return handle === classHandle(minor) ? poolOfMinor(minor) : undefined;
}

function readCarried({ set: name, element }: EchoedElement): (Carried & { readonly pool: PoolId }) | undefined {
  const set = parseCarrySet(name);
  const carried = set && decodeKey(set, element.key);
  const pool = poolIn(element.data);
  return carried === undefined || pool === undefined ? undefined : { ...carried, pool };
}

/** The pools with what the elements say that they carry. */
export function withCarries(pools: readonly PoolClass[], found: readonly EchoedElement[]): readonly PoolClass[] {
  if (found.length === 0) return pools;
  const byPool = new Map<PoolId, Carried[]>();
  for (const element of found) {
    const carried = readCarried(element);
    if (carried === undefined) continue;
    const known = byPool.get(carried.pool);
    if (known === undefined) byPool.set(carried.pool, [carried]);
    else known.push(carried);
  }
  return pools.map((pool) => {
    const own = (byPool.get(pool.id) ?? []).filter((carried) => isOn(pool, carried.interface));
    if (own.length === 0) return pool;
    const matches = new Map(own.map(({ match }) => [describeMatch(match), match]));
    return { ...pool, carries: [...matches.values()] };
  });
}

const placeOf = (set: string, key: Buffer): string => `${set} ${key.toString("latin1")}`;

interface Wanted {
  readonly set: string;
  readonly key: Buffer;
  readonly data: Buffer;
  readonly object: string;
}

function elementsOf(pool: PoolClass, links: Links): readonly Wanted[] {
  const data = hostU32Octets(classHandle(minorOfPool(pool.id)));
  return carryingLinks(pool, links).flatMap((link) =>
    (pool.carries ?? []).map((match) => ({
      set: carrySetOf(match, link).name,
      key: match.by === "codePoint" ? encodeName(link) : encodeFlow(match),
      data,
      object: `${describeMatch(match)} on ${link} of pool ${pool.id} "${pool.name}"`,
    })),
  );
}

/**
 * What makes the elements that were found those that these pools want.
 * @param sets the maps that there are; all by default
 */
export function carryChanges(
  found: readonly EchoedElement[],
  pools: Iterable<PoolClass>,
  links: Links,
  sets?: ReadonlySet<string>,
): readonly ElementChange[] {
  const isThere = (set: string): boolean => sets === undefined || sets.has(set);
  const wanted = new Map<string, Wanted>();
  for (const pool of pools) {
    for (const element of elementsOf(pool, links))
      if (isThere(element.set)) wanted.set(placeOf(element.set, element.key), element);
  }
  const changes: ElementChange[] = [];
  for (const { set, element } of found) {
    const place = placeOf(set, element.key);
    if (wanted.get(place)?.data.equals(element.data ?? Buffer.alloc(0))) wanted.delete(place);
    else if (isThere(set))
      changes.push({ action: "delete", set, element: { key: element.key }, object: `element of ${set}` });
  }
  for (const { set, key, data, object } of wanted.values())
    changes.push({ action: "create", set, element: { key, data }, object });
  return changes;
}

/** As `carryChanges`, where these pools go or change, and others stay as they are. */
export function carryChangesOf(
  found: readonly EchoedElement[],
  gone: readonly PoolClass[],
  come: readonly PoolClass[],
  links: Links,
  sets?: ReadonlySet<string>,
): readonly ElementChange[] {
  const ids = new Set([...gone, ...come].map(({ id }) => id));
  // What passes from a pool that stays for the moment to one that comes is taken over.
  const places = new Set(come.flatMap((pool) => elementsOf(pool, links)).map(({ set, key }) => placeOf(set, key)));
  const touched = found.filter(
    ({ set, element }) => ids.has(poolIn(element.data) ?? 0) || places.has(placeOf(set, element.key)),
  );
  return carryChanges(touched, come, links, sets);
}

/** How our sets are made, and what the state set says: what the structure was made for, and the pools. Pure. */
import { familyOf, type IpFamily } from "../../model/ip.js";
import { type BitsPerSecond, type Octets, toBitsPerSecond, toBytesPerSecond } from "../../model/units.js";
import type { StructureState } from "../classifier.js";
import { MAX_POOL } from "../pool-limit.js";
import type { DesiredState, LinkLayer, ManagedInterface, PoolClass } from "../port.js";
import { accountingText, structureId } from "../structure-id.js";
import { FAMILIES, type Names } from "./names.js";
import { LAYOUT_COMMENT, LAYOUT_PATTERN } from "./ruleset.js";
import { addLine, deleteLine, type SetElement } from "./set-text.js";

const inet = (family: IpFamily): string => (family === 6 ? "inet6" : "inet");

/** `create` of every set, by name. */
export function setHeaders(names: Names, maxFlows: number): ReadonlyMap<string, string> {
  const flows = (family: IpFamily, extensions: string): string =>
    `hash:ip,port,ip family ${inet(family)} maxelem ${maxFlows} ${extensions}`;
  return new Map([
    [names.state, "hash:ip family inet maxelem 65536 comment"],
    [names.ports, "bitmap:port range 0-65535 skbinfo"],
    ...FAMILIES.flatMap((family): readonly (readonly [string, string])[] => [
      [names.signallingSet(family), `hash:ip,port family ${inet(family)} maxelem 65536`],
      [names.flowSet("in", family), flows(family, "counters comment skbinfo")],
      [names.flowSet("out", family), flows(family, "counters comment")],
      [names.flowSet("key", family), flows(family, "comment skbinfo")],
    ]),
  ]);
}

/** Keys of the state set: numbers, written as addresses. */
const STATE_KEY = { layout: 1, structure: 2, listing: 3, firstInterface: 0x100, firstPool: 0x10000 } as const;

const keyText = (number: number): string => `0.${number >>> 16}.${(number >>> 8) & 0xff}.${number & 0xff}`;

function keyNumber(text: string): number {
  const [first = 1, second = 0, third = 0, fourth = 0] = text.split(".").map(Number);
  return first === 0 ? second * 0x10000 + third * 0x100 + fourth : -1;
}

const poolKey = (pool: PoolClass): string => keyText(STATE_KEY.firstPool + pool.id);

const poolComment = (pool: PoolClass): string =>
  `pool:${toBitsPerSecond(toBytesPerSecond(pool.rate))}:${encodeURIComponent(pool.name)}` +
  (pool.only === undefined ? "" : `:${pool.only}`);

export const addPoolLine = (names: Names, pool: PoolClass): string =>
  addLine(names.state, { key: poolKey(pool), comment: poolComment(pool) });

export const deletePoolLine = (names: Names, pool: PoolClass): string => deleteLine(names.state, poolKey(pool));

export const layoutLine = (names: Names): string =>
  addLine(names.state, { key: keyText(STATE_KEY.layout), comment: LAYOUT_COMMENT });

/** Adds or replaces: for `ipset -exist restore`. */
export const listingLine = (names: Names, digest: string): string =>
  addLine(names.state, { key: keyText(STATE_KEY.listing), comment: `listing:${digest}` });

/** What the state set says but for pools and listing: for `ipset -exist restore`. */
export function stateLines(names: Names, desired: DesiredState, found: FoundState): readonly string[] {
  const links = desired.interfaces.map((link, index) => ({
    key: keyText(STATE_KEY.firstInterface + index),
    comment: `interface:${link.name}:${link.rate}:${link.overhead}:${link.signallingRate}${accountingText(link, ":")}`,
  }));
  const structure = { key: keyText(STATE_KEY.structure), comment: `structure:${structureId(desired)}` };
  const kept = new Set(links.map((link) => link.key));
  const gone = found.interfaceKeys.filter((key) => !kept.has(key));
  return [
    layoutLine(names),
    ...gone.map((key) => deleteLine(names.state, key)),
    ...[structure, ...links].map((element) => addLine(names.state, element)),
  ];
}

export interface FoundState extends StructureState {
  /** Whether it is a state set of ours. */
  readonly ours: boolean;
  readonly listing: string | undefined;
  readonly pools: readonly PoolClass[];
  readonly interfaceKeys: readonly string[];
  /** Keys of what we never put there. */
  readonly strays: readonly string[];
}

function parsePool(id: number, comment: string): PoolClass | undefined {
  const match = /^pool:(\d{1,16}):([^:]*)(?::([A-Za-z0-9_.-]{1,15}))?$/.exec(comment);
  if (match === null || id < 1 || id > MAX_POOL) return undefined;
  try {
    const [, rate, name = "", only] = match;
    const pool = { id, rate: Number(rate) as BitsPerSecond, name: decodeURIComponent(name) };
    return only === undefined ? pool : { ...pool, only };
  } catch {
    return undefined;
  }
}

function parseInterface(comment: string): ManagedInterface | undefined {
  const match = /^interface:([^:]+):([\d.]+):(\d+):([\d.]+)(?::(\d+):(ethernet|atm|adsl))?$/.exec(comment);
  if (match === null) return undefined;
  const [, name = "", rate, overhead, signallingRate, mpu, linkLayer] = match;
  return {
    name,
    rate: Number(rate) as BitsPerSecond,
    overhead: Number(overhead) as ManagedInterface["overhead"],
    signallingRate: Number(signallingRate) as BitsPerSecond,
    ...(mpu === undefined ? {} : { mpu: Number(mpu) as Octets }),
    ...(linkLayer === undefined ? {} : { linkLayer: linkLayer as LinkLayer }),
  };
}

export function readState(elements: readonly SetElement[]): FoundState {
  const interfaces: ManagedInterface[] = [];
  const interfaceKeys: string[] = [];
  const pools: PoolClass[] = [];
  const strays: string[] = [];
  const texts = new Map<number, string>();
  for (const { key, comment = "" } of elements) {
    const number = keyNumber(key);
    const link = number >= STATE_KEY.firstInterface && number < STATE_KEY.firstPool && parseInterface(comment);
    const pool = number > STATE_KEY.firstPool && parsePool(number - STATE_KEY.firstPool, comment);
    if (number >= STATE_KEY.layout && number <= STATE_KEY.listing) texts.set(number, comment);
    else if (link) {
      interfaces.push(link);
      interfaceKeys.push(key);
    } else if (pool) pools.push(pool);
    else strays.push(key);
  }
  const after = (key: number, prefix: string): string | undefined => {
    const text = texts.get(key);
    return text?.startsWith(prefix) ? text.slice(prefix.length) : undefined;
  };
  return {
    ours: LAYOUT_PATTERN.test(texts.get(STATE_KEY.layout) ?? ""),
    structureId: after(STATE_KEY.structure, "structure:"),
    listing: after(STATE_KEY.listing, "listing:"),
    interfaces,
    interfaceKeys,
    pools,
    strays,
  };
}

/** Addresses and ports of the servers, as the kernel prints them. */
export function signallingKeys(desired: DesiredState, family: IpFamily): readonly string[] {
  const keys = desired.signalling.flatMap(({ protocol, port, servers }) =>
    servers.filter((server) => familyOf(server) === family).map((server) => `${server},${protocol}:${port}`),
  );
  return [...new Set(keys)];
}

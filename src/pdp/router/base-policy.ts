/**
 * What every router is told first: the queue of each pool, the mark of each service class, and a classifier
 * whose last element sends everything else to best effort.
 */
import type { Binding } from "../../cops/pr/bindings.js";
import { type Prid, ZERO_OID } from "../../cops/pr/oid.js";
import { DIFFSERV_TYPE } from "../../cops/pr/pib/diffserv.js";
import { pib } from "../../cops/pr/pib/index.js";
import { encodeRow, pridOf } from "../../cops/pr/prc.js";
import type { BitsPerSecond, Dscp } from "../../model/units.js";
import { type ClassTargets, SESSION_CLASSIFIER } from "./flow-rows.js";

export interface PolicyPool {
  /** 1..0x7fff: instance of the pool's rows, and its class on the router. */
  readonly id: number;
  readonly name: string;
  /** Layer 2. */
  readonly rate: BitsPerSecond;
  /** Class that a pool between communities is for. */
  readonly class?: string | undefined;
}

export interface PolicyClass {
  readonly name: string;
  /** Pool of sessions that no pool between communities is for. */
  readonly pool?: string | undefined;
  readonly dscp: Dscp;
  readonly outOfProfile: { readonly action: "drop" } | { readonly action: "remark"; readonly dscp: Dscp };
}

export interface BasePolicy {
  readonly bindings: readonly Binding[];
  /** By `targetKey`. */
  readonly targets: ReadonlyMap<string, ClassTargets>;
}

/** Where flows of a class go in a pool; without one, in the class's own pool. Names have no spaces. */
export const targetKey = (serviceClass: string, pool: string | undefined): string =>
  pool === undefined ? serviceClass : `${serviceClass} ${pool}`;

/** Role of the interfaces that the data path is for. */
const ROLE = "edge";
const ANY_CAPABILITY = "";
/** Instances of excess actions follow those of the classes. */
const EXCESS_BASE = 10_000;

export function basePolicy(pools: readonly PolicyPool[], classes: readonly PolicyClass[]): BasePolicy {
  const targets = new Map<string, ClassTargets>();
  const actions = new Map<number, Binding>();
  const uses = classes.flatMap((serviceClass) => usesOf(serviceClass, pools));
  for (const use of uses) {
    const { rows, target } = classRows(use, uses, pools);
    for (const [instance, row] of rows) actions.set(instance, row);
    targets.set(targetKey(use.name, use.pool), target);
    if (use.isOwn) targets.set(use.name, target);
  }
  const bindings = [...pools.flatMap(poolRows), ...markRows(classes), ...actions.values(), ...classifierRows()];
  return { bindings, targets };
}

/** A class in one of its pools. */
interface ClassUse extends PolicyClass {
  readonly isOwn: boolean;
}

const usesOf = (serviceClass: PolicyClass, pools: readonly PolicyPool[]): readonly ClassUse[] => [
  ...(serviceClass.pool === undefined ? [] : [{ ...serviceClass, isOwn: true }]),
  ...pools
    .filter((pool) => pool.class === serviceClass.name)
    .map(({ name }) => ({ ...serviceClass, pool: name, isOwn: false })),
];

/** What the pool's queue is guaranteed, in whole kbit/s: rounded up, so that admitted sessions fit. */
export const poolRateRow = ({ id, rate }: Pick<PolicyPool, "id" | "rate">): Binding =>
  encodeRow(pib.dsMinRate, id, { priority: id, absolute: Math.max(1, Math.ceil(rate / 1000)), relative: null });

function poolRows({ id, name, rate }: PolicyPool): readonly Binding[] {
  return [
    poolRateRow({ id, rate }),
    encodeRow(pib.dsScheduler, id, {
      next: ZERO_OID,
      method: DIFFSERV_TYPE.priority,
      minRate: pridOf(pib.dsMinRate, id),
      maxRate: ZERO_OID,
    }),
    encodeRow(pib.dsQ, id, {
      next: pridOf(pib.dsScheduler, id),
      minRate: pridOf(pib.dsMinRate, id),
      maxRate: ZERO_OID,
    }),
    encodeRow(pib.sluicePool, id, { name, queue: pridOf(pib.dsQ, id) }),
  ];
}

/** Instance = code point + 1, because instances start at 1: one row per code point in use (UNIQUENESS). */
const markInstance = (dscp: Dscp): number => dscp + 1;

function markRows(classes: readonly PolicyClass[]): readonly Binding[] {
  const used = classes.flatMap(({ dscp, outOfProfile }) =>
    outOfProfile.action === "remark" ? [dscp, outOfProfile.dscp] : [dscp],
  );
  return [...new Set(used)].map((dscp) => encodeRow(pib.dsDscpMarkAct, markInstance(dscp), { dscp }));
}

type ActionRow = readonly [instance: number, row: Binding];

/** Classes with the same mark and queue share one action, as the PIB's UNIQUENESS demands. */
function classRows(serviceClass: ClassUse, uses: readonly ClassUse[], pools: readonly PolicyPool[]) {
  const { pool, dscp, outOfProfile } = serviceClass;
  const queue = pools.find(({ name }) => name === pool)?.id;
  const next = queue === undefined ? ZERO_OID : pridOf(pib.dsQ, queue);
  const instance = uses.findIndex((other) => other.pool === pool && other.dscp === dscp) + 1;
  const rows: ActionRow[] = [[instance, action(instance, next, dscp)]];
  const inProfile = pridOf(pib.dsAction, instance);
  if (outOfProfile.action === "drop") return { rows, target: { inProfile, outOfProfile: undefined } };
  const excess = EXCESS_BASE + markInstance(outOfProfile.dscp);
  rows.push([excess, action(excess, ZERO_OID, outOfProfile.dscp)]);
  return { rows, target: { inProfile, outOfProfile: pridOf(pib.dsAction, excess) } };
}

const action = (instance: number, next: Prid, dscp: Dscp): Binding =>
  encodeRow(pib.dsAction, instance, { next, specific: pridOf(pib.dsDscpMarkAct, markInstance(dscp)) });

/** A classifier must always be complete: RFC 3317 §6.3. */
function classifierRows(): readonly Binding[] {
  return [
    encodeRow(pib.dsClfr, SESSION_CLASSIFIER, { id: SESSION_CLASSIFIER }),
    encodeRow(pib.dsClfrElement, CATCH_ALL, {
      clfrId: SESSION_CLASSIFIER,
      precedence: 1,
      next: ZERO_OID,
      specific: ZERO_OID,
    }),
    encodeRow(pib.dsDataPath, 1, {
      capSetName: ANY_CAPABILITY,
      roles: ROLE,
      ifDirection: "inbound",
      start: pridOf(pib.dsClfr, SESSION_CLASSIFIER),
    }),
  ];
}

/** Flow numbers grow from 1 and never come near. */
const CATCH_ALL = 0xffffffff;

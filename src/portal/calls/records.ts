/** Billing records of one user. */
import type { BillingRecord, RecordsAnswer } from "../api/shapes.js";
import { type RoleRecord, type RoleUsage, readRecords, readUsage } from "../roles/answers.js";
import { askIfKnown, type RolePort, type RoleQuery } from "../roles/role-client.js";
import { sameAor } from "./calls.js";

/** Where a page ends, and the next begins: several sessions may end at the same time. */
export interface RecordsPlace {
  /** ms since 1970. */
  readonly at: number;
  readonly session: string;
}

export interface RecordsPage {
  /** What comes after this; from the newest if undefined. */
  readonly before: RecordsPlace | undefined;
  readonly limit: number;
}

/** Undefined for what is none. */
export function parsePlace(text: string): RecordsPlace | undefined {
  const found = /^(\d{1,16}(?:\.\d{1,6})?)-([\w-]{0,64})$/.exec(text);
  return found === null ? undefined : { at: Number(found[1]), session: found[2] ?? "" };
}

const formatPlace = ({ at, session }: RecordsPlace): string => `${at}-${session}`;

/** The newest first. */
const order = (one: RecordsPlace, other: RecordsPlace): number =>
  other.at - one.at || (one.session < other.session ? 1 : one.session > other.session ? -1 : 0);

/**
 * From the policy server's records with prices where it keeps them, else from its usage.
 * @throws SystemError CONTROL_*
 */
export async function recordsOf(pdp: RolePort, aor: string, { before, limit }: RecordsPage): Promise<RecordsAnswer> {
  const place: RoleQuery = before === undefined ? {} : { before: String(before.at), session: before.session };
  const priced = await askIfKnown(pdp, "/v1/show/records", { user: aor, ...place, limit: String(limit) });
  const all =
    priced === undefined
      ? readUsage(await pdp.ask("/v1/show/usage")).flatMap((usage) => fromUsage(usage, aor))
      : readRecords(listOf(priced)).flatMap((record) => fromRecord(record, aor));
  const fitting = all.filter((record) => before === undefined || order(before, record) < 0).sort(order);
  const records = fitting.slice(0, limit);
  // A role may give no more than it was asked for: a full page may have another after it.
  const last = records.length === limit ? records.at(-1) : undefined;
  return { records, next: last === undefined ? null : formatPlace(last) };
}

/** A list, or a list under `records`. */
const listOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "records" in value ? value.records : value;

/** Another user's, should a role send one, is left out. */
function fromRecord({ user, ...record }: RoleRecord, aor: string): readonly BillingRecord[] {
  if (user !== undefined && !sameAor(user, aor)) return [];
  const { class: name, rate, price, shares } = record;
  return [{ ...record, class: name ?? "", rate: rate ?? 0, price: price ?? null, shares: shares ?? [] }];
}

function fromUsage(usage: RoleUsage, aor: string): readonly BillingRecord[] {
  const { session, caller, callee, start, duration, up, down } = usage;
  const isCaller = sameAor(caller, aor);
  if (!isCaller && !sameAor(callee, aor)) return [];
  return [
    {
      session,
      at: start,
      peer: isCaller ? callee : caller,
      class: "",
      rate: 0,
      seconds: duration / 1000,
      octetsIn: down.inProfile.octets + down.outOfProfile.octets,
      octetsOut: up.inProfile.octets + up.outOfProfile.octets,
      outOfProfile: up.outOfProfile.octets + down.outOfProfile.octets,
      price: null,
      shares: [],
    },
  ];
}

/** Billing records of one user. */
import type { BillingRecord, RecordsAnswer } from "../api/shapes.js";
import { type RoleRecord, type RoleUsage, readRecords, readUsage } from "../roles/answers.js";
import { askIfKnown, type RolePort } from "../roles/role-client.js";
import { sameAor } from "./calls.js";

export interface RecordsPage {
  /** Older than this only, ms since 1970. */
  readonly before: number;
  readonly limit: number;
}

/**
 * From the policy server's records with prices where it keeps them, else from its usage.
 * @throws SystemError CONTROL_*
 */
export async function recordsOf(pdp: RolePort, aor: string, { before, limit }: RecordsPage): Promise<RecordsAnswer> {
  const query = { user: aor, before: String(before), limit: String(limit) };
  const priced = await askIfKnown(pdp, "/v1/show/records", query);
  const all =
    priced === undefined
      ? readUsage(await pdp.ask("/v1/show/usage")).flatMap((usage) => fromUsage(usage, aor))
      : readRecords(listOf(priced)).flatMap((record) => fromRecord(record, aor));
  const fitting = all.filter(({ at }) => at < before).sort((one, other) => other.at - one.at);
  const records = fitting.slice(0, limit);
  // A role may give no more than it was asked for: a full page may have another after it.
  const next = records.length === limit ? (records.at(-1)?.at ?? null) : null;
  return { records, next };
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

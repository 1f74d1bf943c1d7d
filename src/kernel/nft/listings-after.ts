/** What our tables will look like after a transaction, found out where nobody is hurt: in a scratch namespace. */
import { KernelError } from "../../model/errors.js";
import { runInScratch } from "../probe/scratch.js";

/** As `nft list` prints the tables, without elements; empty where there is none. */
export type Listings = Readonly<Record<"inet" | "arp", string>>;

const SCRIPT = "nft -f - && nft --terse list ruleset";

/** Our tables out of all that nft lists. */
export function listingsIn(ruleset: string, table: string): Listings {
  const listingOf = (family: keyof Listings): string => {
    const begin = ruleset.startsWith(`table ${family} ${table} {`)
      ? 0
      : ruleset.indexOf(`\ntable ${family} ${table} {`) + 1;
    if (begin === 0 && !ruleset.startsWith(`table ${family} ${table} {`)) return "";
    const end = ruleset.indexOf("\n}\n", begin);
    return end < 0 ? "" : ruleset.slice(begin, end + 3);
  };
  return { inet: listingOf("inet"), arp: listingOf("arp") };
}

/**
 * @param before the tables as they are
 * @param text for `nft -f`
 * @throws KernelError KERNEL_SCRATCH where no scratch namespace can be had.
 */
export async function listingsAfter(table: string, before: Listings, text: string): Promise<Listings> {
  const input = `${before.inet}${before.arp}${text}`;
  const result = await runInScratch({ tool: "sh", args: ["-c", SCRIPT], input });
  if (result.exitCode !== 0 || result.stdout === undefined) {
    const operation = `try the structure of table ${table} in a scratch namespace`;
    const detail = { operation, stderr: result.stderr.split("\n")[0] ?? "" };
    const remedy = "run it as root: a network namespace of its own is needed to know what the tables will look like";
    throw new KernelError("KERNEL_SCRATCH", `cannot ${operation}: ${detail.stderr}`, detail, { remedy });
  }
  // The final newline was stripped on the way.
  return listingsIn(`${result.stdout.trimEnd()}\n`, table);
}

/** Which kinds of tunnels this kernel has: what a policy server may ask for. */
import type { IpFamily } from "../../../model/ip.js";
import { TUNNEL_KINDS, type TunnelKind } from "../../../model/tunnel.js";
import { kindProbe } from "../../link/kinds.js";
import type { ProbeResult } from "../../probe/outcome.js";
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, fine, unseen } from "../finding.js";

const ID = "feature.link.tunnels";
const FAMILIES: readonly IpFamily[] = [4, 6];
const REMEDY = "boot a kernel that has them: apt-get install linux-image-$(dpkg --print-architecture)";

/** What trying one kind over one family gave. */
export interface KindTrial {
  readonly kind: TunnelKind;
  readonly outer: IpFamily;
  readonly result: ProbeResult;
}

const isThere = ({ result }: KindTrial): boolean => result.outcome === "supported";
const isMissing = ({ result }: KindTrial): boolean =>
  result.outcome === "missing in kernel" || result.outcome === "missing in tool";
const kindsOf = (trials: readonly KindTrial[]): string => [...new Set(trials.map(({ kind }) => kind))].join(", ");
const lineOf = ({ kind, outer, result }: KindTrial): string =>
  `${kind} over IPv${outer}: ${[result.outcome, result.evidence].filter((text) => text !== "").join(": ")}`;

/**
 * Pure.
 * @param wanted - kinds that a configuration asks for
 */
export function kindFindings(trials: readonly KindTrial[], wanted: readonly TunnelKind[] = []): readonly Finding[] {
  const there = trials.filter(isThere);
  const detail = trials
    .filter((trial) => !isThere(trial))
    .map(lineOf)
    .join("\n");
  const lacking = wanted.filter((kind) => trials.some((trial) => trial.kind === kind && isMissing(trial)));
  if (lacking.length > 0) return lacking.map((kind) => wantedButMissing(kind, there, detail));
  if (there.length > 0) return [fine(ID, `kinds of tunnels: ${kindsOf(there)}`, detail)];
  const doubtful = trials.find(({ result }) => result.outcome === "unknown");
  if (doubtful !== undefined) return [unseen(ID, "kinds of tunnels", doubtful.result.evidence, "sudo sluice doctor")];
  const why = "sessions cannot be sent through tunnels";
  return [fault({ id: ID, severity: "warning", what: "no kind of tunnel is there", why, remedy: REMEDY, detail })];
}

const wantedButMissing = (kind: TunnelKind, there: readonly KindTrial[], detail: string): Finding =>
  fault({
    id: ID,
    severity: "error",
    what: `tunnels of kind ${kind} are configured, and this machine has none`,
    why: "every decision that names such a tunnel is refused",
    remedy: there.length === 0 ? REMEDY : `choose ${kindsOf(there)} in the policy server's pools, or ${REMEDY}`,
    detail,
  });

async function checkKinds({ probe }: CheckContext): Promise<readonly Finding[]> {
  const trials = TUNNEL_KINDS.flatMap((kind) =>
    FAMILIES.map(async (outer): Promise<KindTrial> => ({ kind, outer, result: await probe(kindProbe(kind, outer)) })),
  );
  return kindFindings(await Promise.all(trials));
}

/** The modules of all kinds are loaded by it; devices that they bring along, such as `sit0`, are down. */
export const tunnelChecks: readonly Check[] = [{ name: ID, run: checkKinds }];

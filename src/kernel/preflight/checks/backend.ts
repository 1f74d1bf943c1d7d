/** Which back end a router would take here, and how it would program it. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, fine, unseen } from "../finding.js";
import { EBPF } from "./ebpf.js";
import { type BackendName, neededBy } from "./features.js";

/** `auto` tries them in this order. */
const ORDER: readonly BackendName[] = ["nftables", "iptables"];

interface Usability {
  readonly backend: BackendName;
  /** What it lacks. */
  readonly missing: readonly string[];
  /** What could not be tried. */
  readonly doubtful: readonly string[];
}

async function usability(context: CheckContext, backend: BackendName): Promise<Usability> {
  const features = neededBy(backend);
  const results = await Promise.all(features.map(({ command }) => context.probe(command)));
  const named = (isIt: (outcome: string) => boolean): readonly string[] =>
    features.filter((_, index) => isIt(results[index]?.outcome ?? "unknown")).map(({ name }) => name);
  const isMissing = (outcome: string): boolean => outcome.startsWith("missing");
  const program = backend === "ebpf" ? (await context.ebpf()).outcome : "supported";
  return {
    backend,
    missing: [...named(isMissing), ...(isMissing(program) ? [EBPF] : [])],
    doubtful: [...named((outcome) => outcome === "unknown"), ...(program === "unknown" ? [EBPF] : [])],
  };
}

const lacks = ({ backend, missing }: Usability): string => `${backend} lacks ${missing.join(", ")}`;

async function checkBackend(context: CheckContext): Promise<Finding> {
  const id = "backend.choice";
  const wanted = context.subject.backend;
  const order = wanted === "auto" ? ORDER : [wanted];
  const tried = await Promise.all(order.map((backend) => usability(context, backend)));
  const refused: string[] = [];
  for (const candidate of tried) {
    if (candidate.doubtful.length > 0) {
      const reason = `could not be tried: ${candidate.doubtful.join(", ")}`;
      return unseen(id, "which back end works", reason, "sudo sluice doctor");
    }
    if (candidate.missing.length > 0) refused.push(lacks(candidate));
    else {
      const reason =
        wanted === "auto" ? (refused.length > 0 ? refused.join("; ") : "first choice, all there") : "configured";
      return fine(id, `back end ${candidate.backend}`, reason);
    }
  }
  return fault({
    id,
    severity: "error",
    what: `no back end works: ${refused.join("; ")}`,
    why: "a router cannot start here",
    remedy:
      "boot a kernel with CONFIG_NF_TABLES_INET and CONFIG_NET_SCH_HTB: apt-get install linux-image-$(dpkg --print-architecture)",
  });
}

async function checkProgramming({ netlink }: CheckContext): Promise<Finding> {
  const id = "backend.programming";
  const { outcome, evidence } = await netlink();
  if (outcome === "supported") return fine(id, "sessions are programmed over netlink");
  if (outcome === "unknown") return unseen(id, "whether netlink can be used", evidence, "sudo sluice doctor");
  return fault({
    id,
    severity: "note",
    what: "netlink cannot be used: sessions would be programmed through a lasting `nft -i`",
    why: "each session then takes some 0.5 ms instead of 0.05 ms",
    remedy: "npm rebuild netlink",
    detail: evidence,
  });
}

/** Only the rules of nftables send packets of reservations that pass to a class. */
function checkAggregates({ subject }: CheckContext): readonly Finding[] {
  const id = "backend.aggregates";
  const { backend, rsvp = false } = subject;
  if (!rsvp) return [];
  if (backend !== "iptables" && backend !== "ebpf") return [fine(id, "reservations that pass here can have a class")];
  const messages = backend === "ebpf" ? "; its own RSVP messages are best effort" : "";
  return [
    fault({
      id,
      severity: "warning",
      what: `the back end ${backend} carries no aggregates`,
      why: `reservations that only pass this router are refused; those that begin or end here are not concerned${messages}`,
      remedy: "set kernel.backend to nftables",
    }),
  ];
}

export const backendChecks: readonly Check[] = [
  { name: "backend.aggregates", run: async (context) => checkAggregates(context) },
  { name: "backend.choice", run: async (context) => [await checkBackend(context)] },
  { name: "backend.programming", run: async (context) => [await checkProgramming(context)] },
];

/** Whether what we name, number and sign is free, or ours already. */
import { isOurEdge } from "../../dsmark/edge.js";
import { EDGE_HANDLE, EDGE_MAJOR } from "../../dsmark/slots.js";
import { OWNER_COMMENT } from "../../nft/ruleset.js";
import { signatureOf } from "../../tc/tree.js";
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, faultsOr, unseen } from "../finding.js";
import { look } from "../machine.js";
import type { Qdisc } from "../sources/qdiscs.js";
import type { RoutingRule } from "../sources/routing-rules.js";
import { isOwnDevice, isOwnRouteTable, OWN_ROUTING, type Subject } from "../subject.js";

const FAMILIES = ["inet", "arp"] as const;

async function checkTables({ machine, sources, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "name.table";
  const ruleset = await sources.ruleset();
  if (!ruleset.seen)
    return [unseen(id, `whether the table ${subject.table} is free`, ruleset.reason, "sudo sluice doctor")];
  const present = FAMILIES.filter((family) =>
    ruleset.value.tables.some((table) => table.family === family && table.name === subject.table),
  );
  const found = await Promise.all(
    present.map(async (family): Promise<readonly Finding[]> => {
      const text = await look(machine, ["nft", "--terse", "list", "table", family, subject.table], (out) => out);
      if (!text.seen) return [unseen(id, `whose the table ${family} ${subject.table} is`, text.reason)];
      if (OWNER_COMMENT.test(text.value)) return [];
      return [
        fault({
          id,
          severity: "error",
          what: `the table ${family} ${subject.table} is somebody else's`,
          why: "what others made is never touched, so a router of this configuration refuses to start",
          remedy: `nft delete table ${family} ${subject.table}`,
          detail: "if somebody needs it, choose another name in kernel.table",
        }),
      ];
    }),
  );
  const state = present.length === 0 ? "is free" : "is ours";
  return faultsOr(found.flat(), id, `the name ${subject.table} ${state}`);
}

/** As `ownRoot` judges (tc/survey.ts), by what tc prints. */
function isOwn(root: Qdisc, qdiscs: readonly Qdisc[], signature: number): boolean {
  if (root.kind !== "dsmark") return root.r2q === signature;
  const edge = `${EDGE_MAJOR}:`;
  if (root.handle !== edge || !isOurEdge(EDGE_HANDLE, root.dsmark, signature)) return false;
  const inside = qdiscs.find(
    ({ device, parent, handle }) => device === root.device && parent?.startsWith(edge) === true && handle !== "0:",
  );
  return inside === undefined || inside.r2q === signature;
}

async function checkQueues({ sources, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "name.rootQueue";
  const qdiscs = await sources.qdiscs();
  if (!qdiscs.seen) return [unseen(id, "root queues", qdiscs.reason)];
  const signature = signatureOf(subject.table);
  const faults = subject.interfaces.flatMap(({ name }): readonly Finding[] => {
    const root = qdiscs.value.find(({ device, isRoot }) => device === name && isRoot);
    // The kernel's own defaults have the handle 0; they give way by themselves.
    if (root === undefined || root.handle === "0:" || isOwn(root, qdiscs.value, signature)) return [];
    return [
      fault({
        id,
        severity: "error",
        what: `${name} already has a root queue (${root.kind} ${root.handle}) that is not ours`,
        why: "what others made is never touched, so this interface cannot be managed",
        remedy: `tc qdisc del dev ${name} root`,
        detail: "if somebody needs it, take the interface out of kernel.interfaces",
      }),
    ];
  });
  return faultsOr(faults, id, "the root queues of the managed interfaces are free or ours");
}

/** Why a rule is in the way, or undefined. */
function conflictOf(subject: Subject, rule: RoutingRule): string | undefined {
  if (rule.protocol === OWN_ROUTING.protocol) return undefined;
  const [first, last] = OWN_ROUTING.preferences;
  if (rule.preference >= first && rule.preference <= last) return `has a preference of ours (${first} to ${last})`;
  if (/^\d+$/.test(rule.table) && isOwnRouteTable(subject, Number(rule.table)))
    return "leads to a routing table of ours";
  const shared = ((rule.mark?.mask ?? 0) & subject.markMask) >>> 0;
  if (shared !== 0) return `decides by bits 0x${shared.toString(16)} of the packet mark, which are ours`;
  return undefined;
}

function removalOf({ family, preference, table, mark }: RoutingRule): string {
  const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
  const marked = mark === undefined ? "" : ` fwmark ${hex(mark.value)}/${hex(mark.mask)}`;
  return `ip -${family} rule del pref ${preference}${marked}${table === "" ? "" : ` lookup ${table}`}`;
}

async function checkRoutingRules({ sources, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "name.routingRule";
  const rules = await sources.routingRules();
  if (!rules.seen) return [unseen(id, "routing rules", rules.reason)];
  const faults = rules.value.flatMap((rule): readonly Finding[] => {
    const conflict = conflictOf(subject, rule);
    if (conflict === undefined) return [];
    return [
      fault({
        id,
        severity: "warning",
        what: `the routing rule ${rule.preference} of IPv${rule.family} ${conflict}`,
        why: "sessions that go through tunnels would be sent its way, or its packets ours",
        remedy: removalOf(rule),
      }),
    ];
  });
  return faultsOr(faults, id, "no routing rule of others uses our marks, tables or preferences");
}

const VXLAN_IDS = [1, 255] as const;

async function checkDevices({ sources, subject }: CheckContext): Promise<readonly Finding[]> {
  const id = "name.tunnel";
  const links = await sources.links();
  if (!links.seen) return [unseen(id, "names of tunnels", links.reason)];
  const faults = links.value.flatMap(({ name, alias, vxlan }): readonly Finding[] => {
    const isNamedOurs = isOwnDevice(subject, name);
    if (isNamedOurs && alias.startsWith(`sluice:${subject.table}:`)) return [];
    const [first, last] = VXLAN_IDS;
    const number = vxlan?.id ?? 0;
    if (!isNamedOurs && (number < first || number > last)) return [];
    return [
      fault({
        id,
        severity: isNamedOurs ? "warning" : "note",
        what: isNamedOurs
          ? `the device ${name} has a name of our tunnels and is not ours`
          : `the VXLAN ${name} has the identifier ${number}, from the range of our tunnels (${first} to ${last})`,
        why: "a tunnel of that number and UDP port cannot be made beside it",
        remedy: `ip link del ${name}`,
        detail: vxlan?.port === undefined ? "" : `UDP port ${vxlan.port}; another port of ours avoids it`,
      }),
    ];
  });
  return faultsOr(faults, id, "no device of others has a name or number of our tunnels");
}

export const nameChecks: readonly Check[] = [
  { name: "name.table", run: checkTables },
  { name: "name.rootQueue", run: checkQueues },
  { name: "name.routingRule", run: checkRoutingRules },
  { name: "name.tunnel", run: checkDevices },
];

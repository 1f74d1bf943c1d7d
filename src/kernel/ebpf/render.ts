/** Changes of maps and programs as lines to read: no tool takes them. Pure. */
import { describeFlow } from "../../model/flow.js";
import { formatEndpoint } from "../../model/ip.js";
import { toBytesPerSecond } from "../../model/units.js";
import type { FlowAddition } from "../plan.js";
import type { DesiredState, FlowRule, PoolClass, RenderedStep } from "../port.js";
import { CLASS, minorOfPool } from "../tc/tree.js";
import type { Place, PlaceChange } from "./attachments.js";
import { decodeServerKey } from "./flow-key.js";
import { ANCHOR_NAME, FLOW_PROGRAM_NAME } from "./owner.js";
import { keyOctets } from "./settings.js";
import type { Preparation } from "./structure.js";

const classText = (minor: number): string => `1:${minor.toString(16)}`;

const excessText = ({ outOfProfile }: FlowRule): string =>
  outOfProfile.action === "drop" ? "drop" : `remark dscp ${outOfProfile.dscp} class ${classText(CLASS.default)}`;

/** Rates in octets per second, bursts and sizes in octets of layer 3. */
export function flowLine({ rule, counters }: FlowAddition): string {
  const size = rule.packetSize === undefined ? "" : ` packet ${rule.packetSize}`;
  const from =
    counters === undefined
      ? ""
      : ` from ${counters.inProfile.packets}+${counters.outOfProfile.packets} packets` +
        ` ${counters.inProfile.octets}+${counters.outOfProfile.octets} octets`;
  return (
    `flow set ${describeFlow(rule.key)} dscp ${rule.dscp} class ${classText(minorOfPool(rule.pool))}` +
    ` rate ${toBytesPerSecond(rule.rate)} burst ${rule.burst}${size} excess ${excessText(rule)}` +
    ` session ${rule.session} id ${rule.id}${from}`
  );
}

export const flowGoneLine = (rule: FlowRule): string => `flow remove ${describeFlow(rule.key)} id ${rule.id}`;

export const poolLine = ({ id, name, rate, only }: PoolClass): string =>
  `pool set ${id} ${JSON.stringify(name)} rate ${toBytesPerSecond(rate)}${only === undefined ? "" : ` only ${only}`}`;

export const poolGoneLine = ({ id }: PoolClass): string => `pool remove ${id}`;

function serverText(key: string): string {
  const server = decodeServerKey(keyOctets(key));
  return server === undefined ? "unknown" : `${server.protocol} ${formatEndpoint(server.address, server.port)}`;
}

function placeLines({ place: { name }, attach, replace, detach }: PlaceChange): readonly string[] {
  const program = attach === "anchor" ? ANCHOR_NAME : FLOW_PROGRAM_NAME;
  const header = typeof attach === "number" ? ` link header ${attach}` : "";
  const instead = replace === undefined ? "" : ` in place of program ${replace.id}`;
  const attached = attach === undefined ? [] : [`attach ${program} to ${name} egress${header}${instead}`];
  return [...attached, ...detach.map(({ id }) => `detach program ${id} from ${name} egress`)];
}

export const structureLines = (
  table: string,
  desired: DesiredState,
  { changes, serversGone, serversCome }: Preparation,
): readonly string[] => [
  `settings set owner ${table} signalling dscp ${desired.signallingDscp} class ${classText(CLASS.signalling)}`,
  ...serversCome.map((key) => `server set ${serverText(key)}`),
  ...serversGone.map((key) => `server remove ${serverText(key)}`),
  ...changes.flatMap(placeLines),
  `state set interfaces ${desired.interfaces.map(({ name }) => name).join(" ")}`,
];

export const removalLines = (places: readonly Place[]): readonly string[] =>
  places.flatMap(({ name, programs }) => programs.map(({ id }) => `detach program ${id} from ${name} egress`));

export const bpfStep = (lines: readonly string[]): readonly RenderedStep[] =>
  lines.length === 0 ? [] : [{ tool: "bpf", args: [], input: lines.map((line) => `${line}\n`).join("") }];

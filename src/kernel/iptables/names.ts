/** What is ours by name: chains in the mangle tables of both families, and sets. Pure. */
import { KernelError } from "../../model/errors.js";
import type { IpFamily } from "../../model/ip.js";

/** Leaves room for the longest suffix: 28 characters for a chain, 31 for a set. */
const TABLE_NAME = /^[A-Za-z][A-Za-z0-9_]{0,15}$/;

const CLASS_SUFFIX = /^-(class|drop|c[0-9a-f]{1,2}|r\d{1,2})$/;
const CHAIN_SUFFIX = /^(-(output|signalling|control|neighbour|session))?$/;

export type FlowSetRole = "key" | "in" | "out";
/** In the order in which they are written to the kernel; a flow is met by packets only when it is in `key`. */
export const FLOW_SET_ROLES: readonly FlowSetRole[] = ["in", "out", "key"];
export const FAMILIES: readonly IpFamily[] = [4, 6];

export interface Names {
  /** Also the chain that FORWARD jumps to. */
  readonly table: string;
  readonly output: string;
  readonly signalling: string;
  readonly control: string;
  readonly neighbour: string;
  readonly session: string;
  readonly classes: string;
  readonly drop: string;
  readonly remark: (code: number) => string;
  /** By one or two hexadecimal digits of the class number. */
  readonly class: (digits: string) => string;
  readonly isChain: (name: string) => boolean;
  /** One of those that change with the classes. */
  readonly isClassChain: (name: string) => boolean;
  readonly state: string;
  /** Source port -> the same port in the mark. */
  readonly ports: string;
  readonly signallingSet: (family: IpFamily) => string;
  readonly flowSet: (role: FlowSetRole, family: IpFamily) => string;
  readonly sets: readonly string[];
}

/** @throws KernelError KERNEL_TABLE_NAME. */
export function namesOf(table: string): Names {
  if (!TABLE_NAME.test(table)) {
    const remedy = "use a letter, then up to 15 letters, digits and underscores";
    const detail = { operation: "open" };
    throw new KernelError("KERNEL_TABLE_NAME", `not a name for chains and sets: ${table}`, detail, { remedy });
  }
  const signallingSet = (family: IpFamily): string => `${table}-signalling${family}`;
  const flowSet = (role: FlowSetRole, family: IpFamily): string => `${table}-${role}${family}`;
  const isClassChain = (name: string): boolean => name.startsWith(table) && CLASS_SUFFIX.test(name.slice(table.length));
  const state = `${table}-state`;
  const ports = `${table}-ports`;
  const flowSets = FAMILIES.flatMap((family) => FLOW_SET_ROLES.map((role) => flowSet(role, family)));
  return {
    table,
    output: `${table}-output`,
    signalling: `${table}-signalling`,
    control: `${table}-control`,
    neighbour: `${table}-neighbour`,
    session: `${table}-session`,
    classes: `${table}-class`,
    drop: `${table}-drop`,
    remark: (code) => `${table}-r${code}`,
    class: (digits) => `${table}-c${digits}`,
    isChain: (name) => isClassChain(name) || (name.startsWith(table) && CHAIN_SUFFIX.test(name.slice(table.length))),
    isClassChain,
    state,
    ports,
    signallingSet,
    flowSet,
    sets: [state, ports, ...FAMILIES.map(signallingSet), ...flowSets],
  };
}

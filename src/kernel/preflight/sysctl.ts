/** Switches of the kernel, by their names in sysctl. */
import { type Machine, readNumber } from "./machine.js";

/**
 * Parts of a name are divided by dots, but an interface's name may have dots of its own: those are given as parts.
 */
export type SysctlName = readonly string[];

const pathOf = (name: SysctlName): string => `/proc/sys/${name.join("/")}`;

/** As the tool takes it: slashes divide, so that a dot in an interface's name stays one. */
const textOf = (name: SysctlName): string =>
  name.some((part) => part.includes(".")) ? name.join("/") : name.join(".");

export interface Sysctl {
  readonly text: string;
  readonly value: number | undefined;
}

export async function readSysctl(machine: Machine, ...name: SysctlName): Promise<Sysctl> {
  return { text: textOf(name), value: await readNumber(machine, pathOf(name)) };
}

export const setCommand = (name: string, value: number): string => `sysctl -w ${name}=${value}`;

/** What makes a setting last. */
export const keepHint = (name: string, value: number): string =>
  `to keep it over a reboot, write "${name} = ${value}" into /etc/sysctl.d/90-sluice.conf`;

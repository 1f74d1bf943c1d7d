/**
 * Which programs at the egress of this namespace's devices are ours. The kernel lists the programs of a device, a program
 * names its maps, and the settings among them say whose they are: nothing is kept in files.
 */
import { KernelError } from "../../model/errors.js";
import { BpfMap } from "./bpf-map.js";
import { type LoadedProgram, programById } from "./bpf-program.js";
import { indexKey } from "./host-octets.js";
import { shapesOf } from "./maps.js";
import { isMarked } from "./settings.js";
import { queryEgress } from "./tcx.js";

export const FLOW_PROGRAM_NAME = "sluice_flow";
export const ANCHOR_NAME = "sluice_anchor";
/** `lo` of every namespace has it. */
export const LOOPBACK = 1;
/** Programs that are remembered; the kernel gives a number again after two thousand million others. */
const REMEMBERED = 1024;
const SETTINGS_NAME = shapesOf(1).settings.name;

export interface OwnProgram extends Pick<LoadedProgram, "id" | "tag" | "mapIds"> {
  readonly role: "flow" | "anchor";
}

export const errnoOf = (error: unknown): string | undefined =>
  error instanceof KernelError ? error.detail.errno : undefined;

/** Undefined where the device went away meanwhile. */
export const unlessUnplugged = <Result>(work: () => Result): Result | undefined => unless(["ENODEV"], work);

/** Undefined where the device or the object went away meanwhile. */
export const unlessGone = <Result>(work: () => Result): Result | undefined => unless(["ENODEV", "ENOENT"], work);

function unless<Result>(errnos: readonly string[], work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (errnos.includes(errnoOf(error) ?? "")) return undefined;
    throw error;
  }
}

export class Owner {
  readonly #table: string;
  /** By number; null for those of others. */
  readonly #known = new Map<number, OwnProgram | null>();

  constructor(table: string) {
    this.#table = table;
  }

  /** Ours at the egress of a device, in their order; none if it is gone. @throws KernelError */
  at(ifindex: number): readonly OwnProgram[] {
    const ids = unlessGone(() => queryEgress(ifindex))?.programIds ?? [];
    return ids.flatMap((id) => this.#ownProgram(id) ?? []);
  }

  #ownProgram(id: number): OwnProgram | undefined {
    const known = this.#known.get(id);
    if (known !== undefined) return known ?? undefined;
    const program = unlessGone(() => programById(id));
    if (program === undefined) return undefined;
    program.close();
    const own = this.#roleOf(program);
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(id, own ?? null);
    return own;
  }

  #roleOf({ id, name, tag, mapIds }: LoadedProgram): OwnProgram | undefined {
    const role = name === FLOW_PROGRAM_NAME ? "flow" : name === ANCHOR_NAME ? "anchor" : undefined;
    if (role === undefined || !mapIds.some((map) => this.#isOurSettings(map))) return undefined;
    return { id, role, tag, mapIds };
  }

  #isOurSettings(id: number): boolean {
    const map = unlessGone(() => BpfMap.byId(id));
    try {
      if (map?.shape.name !== SETTINGS_NAME) return false;
      const settings = map.get(indexKey(0));
      return settings !== undefined && isMarked(settings, this.#table);
    } finally {
      map?.close();
    }
  }
}

/** Where our programs are attached: the anchor at `lo`, the flow program at every managed interface. */
import type { Generation } from "../netlink/nf-tables.js";
import {
  flowProgramTag,
  type LinkHeader,
  type LoadedProgram,
  loadAnchor,
  loadFlowProgram,
  programById,
} from "./bpf-program.js";
import { linkHeaderOf } from "./link-header.js";
import { type FoundMaps, mapsIn, type TableMaps } from "./maps.js";
import {
  ANCHOR_NAME,
  FLOW_PROGRAM_NAME,
  LOOPBACK,
  type Owner,
  type OwnProgram,
  unlessGone,
  unlessUnplugged,
} from "./owner.js";
import { attachEgress, detachEgress, queryEgress } from "./tcx.js";
import { unsupported } from "./unsupported.js";

export interface Device {
  readonly index: number;
  readonly name: string;
  /** linux/if_arp.h. */
  readonly linkType: number;
}

/** A device and what of ours is at its egress. */
export interface Place extends Device {
  readonly programs: readonly OwnProgram[];
}

export interface AttachmentsParts {
  readonly owner: Owner;
  readonly devices: () => Promise<readonly Device[]>;
}

/** What is to be done at one device. */
export interface PlaceChange {
  readonly place: Place;
  /** Absent where nothing of ours is wanted, or what is wanted is there. */
  readonly attach?: "anchor" | LinkHeader;
  /** The program is wanted at a device whose packets it cannot look into: nothing can be done. */
  readonly isUnknown?: true;
  /** Gives its place to what is attached. */
  readonly replace?: OwnProgram;
  readonly detach: readonly OwnProgram[];
}

export class Attachments {
  readonly #parts: AttachmentsParts;
  /** Devices whose programs are watched, `lo` beside them. */
  #watched: readonly number[] = [];
  #seen: string | undefined;
  #generation = 0;

  constructor(parts: AttachmentsParts) {
    this.#parts = parts;
  }

  /** Of this table, in their order. @throws KernelError */
  anchors(): readonly OwnProgram[] {
    return this.#parts.owner.at(LOOPBACK).filter(({ role }) => role === "anchor");
  }

  /** Whether packets of this namespace still meet this program. @throws KernelError */
  isAnchored(anchorId: number): boolean {
    return queryEgress(LOOPBACK).programIds.includes(anchorId);
  }

  /** Every device. */
  async survey(): Promise<readonly Place[]> {
    const { owner, devices } = this.#parts;
    return (await devices()).map((device) => ({ ...device, programs: owner.at(device.index) }));
  }

  /** What differs from the anchor at `lo`, the flow program exactly once at each of `names`, and nothing of ours elsewhere. */
  differences(places: readonly Place[], maps: FoundMaps | undefined, names: Iterable<string>): readonly PlaceChange[] {
    const wanted = new Set(names);
    const all = new Set(maps === undefined ? [] : mapsIn(maps).map(({ id }) => id));
    const changes = places.map((place): PlaceChange => {
      const header = wanted.has(place.name) ? linkHeaderOf(place.linkType) : undefined;
      if (wanted.has(place.name) && header === undefined) return { place, isUnknown: true, detach: [] };
      const attach = place.index === LOOPBACK ? "anchor" : header;
      const isRight = ({ role, tag, mapIds }: OwnProgram): boolean => {
        if (attach === undefined || maps === undefined) return false;
        if (attach === "anchor")
          return role === "anchor" && all.size === mapIds.length && mapIds.every((id) => all.has(id));
        return role === "flow" && mapIds.includes(maps.flows4.id) && tag === flowProgramTag(attach);
      };
      const right = place.programs.find(isRight);
      const others = place.programs.filter((program) => program !== right);
      if (right !== undefined || attach === undefined) return { place, detach: others };
      const [replace, ...rest] = others;
      return { place, attach, ...(replace === undefined ? {} : { replace }), detach: rest };
    });
    return changes.filter(({ attach, isUnknown, detach }) => attach !== undefined || isUnknown || detach.length > 0);
  }

  /** @throws KernelError KERNEL_UNSUPPORTED for a device that is there, whose packets the program cannot look into. */
  refuseUnknown(changes: readonly PlaceChange[]): void {
    const unknown = changes.find(({ isUnknown }) => isUnknown);
    if (unknown === undefined) return;
    const { name, linkType } = unknown.place;
    const why = `its packets begin with a header that the eBPF program does not know (hardware type ${linkType})`;
    throw unsupported(`interface ${name}`, why);
  }

  /** In one go, the anchor first: what holds the maps must be there before anybody relies on them. @throws KernelError */
  carryOut(changes: readonly PlaceChange[], maps: TableMaps): void {
    const loaded = new Map<"anchor" | LinkHeader, LoadedProgram>();
    const ordered = [...changes].sort(
      (left, right) => Number(right.attach === "anchor") - Number(left.attach === "anchor"),
    );
    try {
      for (const { place, attach, replace, detach } of ordered) {
        if (attach !== undefined) {
          const program = loaded.get(attach) ?? load(attach, maps);
          loaded.set(attach, program);
          put(place, program, replace);
        }
        for (const { id } of detach) take(place, id);
      }
    } finally {
      for (const program of loaded.values()) program.close();
      this.#seen = this.#snapshot();
    }
  }

  /** Everything of ours goes; the anchor last, since nobody finds what it holds without it. @throws KernelError */
  removeAll(places: readonly Place[]): void {
    const ordered = [...places].sort(
      (left, right) => Number(left.index === LOOPBACK) - Number(right.index === LOOPBACK),
    );
    for (const place of ordered) for (const { id } of place.programs) take(place, id);
    this.#watched = [];
    this.#seen = this.#snapshot();
  }

  /** From now on `generation` tells of these, too. */
  watch(places: readonly Place[], names: Iterable<string>): void {
    const wanted = new Set(names);
    const indices = places.filter(({ name }) => wanted.has(name)).map(({ index }) => index);
    if (indices.join() === this.#watched.join()) return;
    this.#watched = indices;
    this.#seen = this.#snapshot();
  }

  /** Another number when somebody else changed the programs at a device where ours are. */
  generation(): Generation {
    const now = this.#snapshot();
    if (this.#seen !== undefined && now !== this.#seen) this.#generation = (this.#generation + 1) >>> 0;
    this.#seen = now;
    return { id: this.#generation, commits: 0 };
  }

  #snapshot(): string {
    const lines = [LOOPBACK, ...this.#watched].map((index) => {
      const found = unlessGone(() => queryEgress(index));
      return found === undefined ? "gone" : `${index} ${found.programIds.join(",")}`;
    });
    return lines.join("\n");
  }
}

const load = (what: "anchor" | LinkHeader, maps: TableMaps): LoadedProgram =>
  what === "anchor"
    ? loadAnchor(mapsIn(maps), ANCHOR_NAME)
    : loadFlowProgram(maps, { linkHeader: what, name: FLOW_PROGRAM_NAME });

/** Nothing to do on a device that went away: its programs went with it. */
function put({ index }: Place, program: LoadedProgram, replace: OwnProgram | undefined): void {
  const old = replace && unlessGone(() => programById(replace.id));
  try {
    unlessUnplugged(() => attachEgress(index, program, old));
  } finally {
    old?.close();
  }
}

function take({ index }: Place, id: number): void {
  const program = unlessGone(() => programById(id));
  try {
    if (program !== undefined) unlessGone(() => detachEgress(index, program));
  } finally {
    program?.close();
  }
}

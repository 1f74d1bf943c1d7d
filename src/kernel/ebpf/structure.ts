/** Finds what the kernel holds of this table, makes it, mends it and takes it away. */
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { DesiredState, PoolClass } from "../port.js";
import { structureId } from "../structure-id.js";
import type { Attachments, PlaceChange } from "./attachments.js";
import { BpfMap } from "./bpf-map.js";
import type { FlowMaps } from "./bpf-program.js";
import { type Census, readFlows, readServers, takeCensus } from "./flow-reading.js";
import { indexKey } from "./host-octets.js";
import { createMaps, type FoundMaps, fits, flowMapOf, mapsIn, openMaps, type TableMaps } from "./maps.js";
import { PortWords } from "./port-words.js";
import { type CopiedCounters, carryOver, copyFlows } from "./renewal.js";
import { encodeSettings, keyOctets, sealOf, serversOf } from "./settings.js";
import { decodeState, encodeState, LAYOUT, STATE_SHAPE, type TableState } from "./state.js";

const FIRST = indexKey(0);
const SERVER_VALUE = new Uint8Array(4);

/** The maps of the table as this process has them open. */
export interface Held {
  readonly maps: FoundMaps;
  /** Undefined where somebody took it away, and only the programs at the devices are left. */
  anchorId: number | undefined;
  readonly ports: PortWords;
  readonly sizes: Census["sizes"];
  /** Raised when flows are about to be changed, and again when they are. */
  changes: number;
}

export interface StructureOptions {
  readonly table: string;
  readonly maxFlows: number;
}

/** What is to be done to have the structure, found out without doing it. */
export interface Preparation {
  readonly changes: readonly PlaceChange[];
  readonly serversGone: readonly string[];
  readonly serversCome: readonly string[];
}

export class Structure {
  readonly #options: StructureOptions;
  readonly #attachments: Attachments;
  readonly #log: Logger;
  #held: Held | undefined;
  #finding: Promise<Held | undefined> | undefined;

  constructor(options: StructureOptions, attachments: Attachments, log: Logger) {
    this.#options = options;
    this.#attachments = attachments;
    this.#log = log;
  }

  /** What this process has open, if packets still meet it: costs one question to the kernel. @throws KernelError */
  heldNow(): Held | undefined {
    const { anchorId } = this.#held ?? {};
    return anchorId !== undefined && this.#attachments.isAnchored(anchorId) ? this.#held : undefined;
  }

  /** Opens what an anchor of this table holds, or the programs at the devices if that is gone. @throws KernelError */
  find(): Promise<Held | undefined> {
    this.#finding ??= this.#search().finally(() => {
      this.#finding = undefined;
    });
    return this.#finding;
  }

  async #search(): Promise<Held | undefined> {
    const anchor = this.#attachments.anchors()[0];
    if (anchor !== undefined) return this.#open(anchor.mapIds, anchor.id);
    const places = await this.#attachments.survey();
    const program = places.flatMap(({ programs }) => programs)[0];
    if (program !== undefined) return this.#open(program.mapIds, undefined);
    this.#hold(undefined);
    return undefined;
  }

  async #open(mapIds: readonly number[], anchorId: number | undefined): Promise<Held | undefined> {
    const held = this.#held;
    if (held !== undefined && areHeld(held, mapIds, anchorId !== undefined)) {
      held.anchorId = anchorId;
      return held;
    }
    const maps = openMaps(mapIds);
    this.#hold(maps && (await heldOf(maps, anchorId)));
    return this.#held;
  }

  #hold(held: Held | undefined): void {
    if (this.#held !== undefined) closeOthers(this.#held.maps, held?.maps);
    this.#held = held;
  }

  /** Undefined where there is none, or what cannot be read. */
  state({ maps }: Held): TableState | undefined {
    const octets = maps.state?.get(FIRST);
    const state = octets && decodeState(octets);
    return state?.owner === this.#options.table ? state : undefined;
  }

  /** @throws KernelError ENOENT where there is no structure. */
  setPools(gone: readonly PoolClass[], come: readonly PoolClass[]): void {
    const held = this.heldNow();
    const state = held && this.state(held);
    if (held?.maps.state === undefined || state === undefined) throw noStructure("set pools");
    const pools = new Map(state.pools.map((pool) => [pool.id, pool]));
    for (const { id } of gone) pools.delete(id);
    for (const pool of come) pools.set(pool.id, pool);
    held.maps.state.set(FIRST, encodeState({ ...state, pools: [...pools.values()] }));
  }

  /** Whether all but pools and flows is as it was when we made it. */
  async isIntact(held: Held, state: TableState): Promise<boolean> {
    const { maps } = held;
    if (!fits(maps, this.#options.maxFlows) || state.layout !== LAYOUT) return false;
    if (state.seal !== (await this.#seal(maps))) return false;
    const places = await this.#attachments.survey();
    const names = state.interfaces.map(({ name }) => name);
    this.#attachments.watch(places, names);
    return this.#attachments.differences(places, maps, names).length === 0 && held.ports.isWhole();
  }

  async #seal(maps: FlowMaps): Promise<string> {
    return sealOf(maps.settings.get(FIRST) ?? new Uint8Array(0), await readServers(maps));
  }

  /** What `install` would do. */
  async prepare(desired: DesiredState): Promise<Preparation> {
    const held = await this.find();
    const there = new Set(held === undefined ? [] : await readServers(held.maps));
    const wanted = serversOf(desired);
    const places = await this.#attachments.survey();
    const names = desired.interfaces.map(({ name }) => name);
    const changes = this.#attachments.differences(places, held?.maps, names);
    this.#attachments.refuseUnknown(changes);
    return {
      changes,
      serversGone: [...there].filter((key) => !wanted.has(key)),
      serversCome: [...wanted.keys()].filter((key) => !there.has(key)),
    };
  }

  /** Makes it, or mends it in place: flows stay, and come with their counters where maps had to be made anew. */
  async install(desired: DesiredState): Promise<void> {
    await this.#refuseUnknown(desired);
    const before = await this.find();
    const state = before && this.state(before);
    const isFit = before !== undefined && fits(before.maps, this.#options.maxFlows);
    const isReadable = state === undefined || state.layout === LAYOUT;
    const renewed = !isFit || !isReadable;
    const maps = renewed ? createMaps(this.#options.maxFlows) : completed(before.maps);
    try {
      const copied = before !== undefined && renewed && isReadable ? await this.#renew(before.maps, maps) : undefined;
      if (!isReadable) this.#log.warn("kernel.ebpf.unreadable", { table: this.#options.table, layout: state.layout });
      await this.#clearStrays(maps);
      const held = await heldOf(maps, undefined);
      await this.#fill(held, maps, desired);
      await this.#place(maps, desired);
      if (copied !== undefined && before !== undefined) await carryOver(before.maps, maps, copied);
      await this.#note(maps, desired, state?.pools ?? []);
      this.#hold({ ...held, anchorId: this.#attachments.anchors()[0]?.id });
    } catch (error) {
      if (before === undefined) await this.#undoFirst();
      closeOthers(maps, before?.maps);
      throw error;
    }
  }

  /** @throws KernelError KERNEL_UNSUPPORTED before anything is touched. */
  async #refuseUnknown(desired: DesiredState): Promise<void> {
    const names = desired.interfaces.map(({ name }) => name);
    this.#attachments.refuseUnknown(this.#attachments.differences(await this.#attachments.survey(), undefined, names));
  }

  /** Everything of this table, and nothing else. */
  async remove(): Promise<void> {
    this.#attachments.removeAll(await this.#attachments.survey());
    this.#hold(undefined);
  }

  close(): void {
    this.#hold(undefined);
  }

  async #fill({ ports }: Held, maps: TableMaps, desired: DesiredState): Promise<void> {
    const settings = encodeSettings(this.#options.table, desired.signallingDscp);
    maps.settings.set(FIRST, settings);
    const there = new Set(await readServers(maps));
    const wanted = serversOf(desired);
    for (const [key, { port }] of wanted) {
      if (there.has(key)) continue;
      ports.acquire("signalling", port);
      maps.servers.set(keyOctets(key), SERVER_VALUE);
    }
    for (const key of there) if (!wanted.has(key)) maps.servers.take(keyOctets(key));
    // Anew from what the maps hold by now, and so for every bit that somebody else may have changed.
    ports.recount((await takeCensus(maps)).ports);
    ports.mend();
  }

  /** A device may come while the others get their programs: it is attached to by the next reading. */
  async #place(maps: TableMaps, desired: DesiredState): Promise<void> {
    const names = desired.interfaces.map(({ name }) => name);
    const places = await this.#attachments.survey();
    this.#attachments.carryOut(this.#attachments.differences(places, maps, names), maps);
    this.#attachments.watch(places, names);
  }

  /** Last: until it is noted, a reading finds the structure not whole. */
  async #note(maps: TableMaps, desired: DesiredState, pools: readonly PoolClass[]): Promise<void> {
    const state: TableState = {
      owner: this.#options.table,
      layout: LAYOUT,
      structureId: structureId(desired),
      seal: await this.#seal(maps),
      interfaces: desired.interfaces,
      pools,
    };
    maps.state.set(FIRST, encodeState(state));
  }

  async #clearStrays(maps: FlowMaps): Promise<void> {
    const { strays } = await readFlows(maps);
    for (const { family, octets } of strays) flowMapOf(maps, family).take(octets);
    if (strays.length > 0) this.#log.warn("kernel.ebpf.strays", { table: this.#options.table, entries: strays.length });
  }

  async #renew(from: FlowMaps, to: FlowMaps): Promise<CopiedCounters> {
    const copied = await copyFlows(from, to);
    const flows = copied[4].size + copied[6].size;
    this.#log.warn("kernel.ebpf.renewed", { table: this.#options.table, flows });
    return copied;
  }

  /** The first installation failed half-way: nothing of it stays. */
  async #undoFirst(): Promise<void> {
    try {
      await this.remove();
    } catch (error) {
      this.#log.error("kernel.ebpf.undo", { table: this.#options.table, error });
    }
  }
}

async function heldOf(maps: FoundMaps, anchorId: number | undefined): Promise<Held> {
  const { ports, sizes } = await takeCensus(maps);
  return { maps, anchorId, ports: new PortWords(maps.ports, ports), sizes, changes: 0 };
}

/** Those that are not among `kept`. */
function closeOthers(maps: FoundMaps, kept: FoundMaps | undefined): void {
  const stay = new Set(kept === undefined ? [] : mapsIn(kept));
  for (const map of mapsIn(maps)) if (!stay.has(map)) map.close();
}

/** An anchor names all of them, a flow program all but the state. */
function areHeld({ maps }: Held, mapIds: readonly number[], anchored: boolean): boolean {
  if (!anchored) return mapIds.includes(maps.flows4.id);
  const held = mapsIn(maps);
  return held.length === mapIds.length && held.every(({ id }) => mapIds.includes(id));
}

/** With a state where it was lost. */
const completed = (maps: FoundMaps): TableMaps => ({ ...maps, state: maps.state ?? BpfMap.create(STATE_SHAPE) });

export function noStructure(operation: string): KernelError {
  const detail = { operation, errno: "ENOENT" };
  return new KernelError("KERNEL_REFUSED", "the programs and maps of this table are not in the kernel", detail, {
    remedy: "nothing needs to be done: the next pass of the reconciler makes them",
  });
}

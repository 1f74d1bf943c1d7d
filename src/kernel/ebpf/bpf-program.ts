/** Programs in the kernel: the flow program, and the anchor that holds maps while nobody else does. */
import { closeSync } from "node:fs";
import { ANCHOR_PROGRAM } from "./anchor-program.js";
import { Attributes, bpf, bpfError, COMMAND, errnoName, tryBpf } from "./bpf-call.js";
import { BpfMap, type MapShape } from "./bpf-map.js";
import { FLOW_PROGRAM } from "./flow-program.js";
import { type FlowMapName, linked, MARKED_MAPS } from "./linking.js";
import { nameIn, objectInfo } from "./object-info.js";

export type FlowMaps = Readonly<Record<FlowMapName, BpfMap>>;

/** Octets in front of the network header: Ethernet has 14, a point-to-point device none. */
export type LinkHeader = 0 | 14;

/** It stays loaded as long as it is attached; `close` ends this hold alone. */
export interface LoadedProgram {
  readonly id: number;
  readonly name: string;
  /** Digest of the instructions as the kernel makes it, 16 hexadecimal digits; which maps are used does not matter. */
  readonly tag: string;
  readonly mapIds: readonly number[];
  readonly fd: number;
  close(): void;
}

/** Layouts of keys and values are those of flow.bpf.c. */
export const FLOW_MAP_SHAPES = (maxFlows: number): Readonly<Record<FlowMapName, MapShape>> => ({
  flows4: { name: "sluice_flows4", type: "hash", keyLength: 16, valueLength: 112, maxEntries: maxFlows },
  flows6: { name: "sluice_flows6", type: "hash", keyLength: 40, valueLength: 112, maxEntries: maxFlows },
  ports: { name: "sluice_ports", type: "array", keyLength: 4, valueLength: 32, maxEntries: 1024 },
  servers: { name: "sluice_servers", type: "hash", keyLength: 20, valueLength: 4, maxEntries: 4096 },
  settings: { name: "sluice_settings", type: "array", keyLength: 4, valueLength: 32, maxEntries: 1 },
});

/** linux/bpf.h, BPF_PROG_TYPE_SCHED_CLS. */
const CLASSIFIER = 3;
const LICENCE = Buffer.from("Dual MIT/GPL\0", "latin1");
const LOG_LENGTH = 65_536;
/** The verifier gives up with EAGAIN when a signal waits. */
const LOAD_TURNS = 5;

/** Octets of `struct bpf_prog_info`. */
const INFO = { id: 4, tag: 8, mapCount: 52, mapIds: 56, name: 64 } as const;
const INFO_LENGTH = 80;
const MOST_MAPS = 64;

function describe(fd: number): LoadedProgram {
  const ids = Buffer.alloc(4 * MOST_MAPS);
  const request = new Attributes(INFO_LENGTH).setU32(INFO.mapCount, MOST_MAPS).setPointer(INFO.mapIds, ids);
  const info = objectInfo(fd, INFO_LENGTH, "program", request.octets);
  const count = Math.min(info.readUInt32LE(INFO.mapCount), MOST_MAPS);
  let isClosed = false;
  return {
    id: info.readUInt32LE(INFO.id),
    name: nameIn(info, INFO.name),
    tag: info.toString("hex", INFO.tag, INFO.tag + 8),
    mapIds: Array.from({ length: count }, (_, index) => ids.readUInt32LE(4 * index)),
    fd,
    close: () => {
      if (!isClosed) closeSync(fd);
      isClosed = true;
    },
  };
}

/** Closes what was opened if the rest fails. */
function owned<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The verifier's words are asked for only after a refusal: they cost more than the loading. */
function load(instructions: Buffer, name: string): number {
  const attributes = (): Attributes =>
    new Attributes(72)
      .setU32(0, CLASSIFIER)
      .setU32(4, instructions.length / 8)
      .setPointer(8, instructions)
      .setPointer(16, LICENCE)
      .setName(48, name);
  for (let turn = 0; turn < LOAD_TURNS; turn += 1) {
    const result = tryBpf(COMMAND.programLoad, attributes());
    if (result >= 0) return result;
    if (errnoName(-result) !== "EAGAIN") break;
  }
  const log = Buffer.alloc(LOG_LENGTH);
  const again = attributes().setU32(24, 1).setU32(28, LOG_LENGTH).setPointer(32, log);
  const second = tryBpf(COMMAND.programLoad, again);
  if (second >= 0) return second;
  const words = log.toString("latin1", 0, Math.max(0, log.indexOf(0))).trim();
  throw bpfError(second, `load the program ${name}`, words.slice(-2000));
}

/**
 * Verified and compiled by the kernel, attached to nothing yet.
 * @param options.linkHeader of the devices it is for. @param options.name at most 15 octets.
 * @throws KernelError KERNEL_UNSUPPORTED, KERNEL_PERMISSION, KERNEL_REFUSED.
 */
export function loadFlowProgram(
  maps: FlowMaps,
  { linkHeader, name }: { readonly linkHeader: LinkHeader; readonly name: string },
): LoadedProgram {
  const descriptors = MARKED_MAPS.map((map) => maps[map].fd);
  return owned(load(linked(FLOW_PROGRAM, linkHeader, descriptors), name), describe);
}

/**
 * A program that leaves every packet to what comes behind it, and holds these maps as long as it is attached somewhere.
 * @throws KernelError as `loadFlowProgram`.
 */
export function loadAnchor(maps: readonly BpfMap[], name: string): LoadedProgram {
  return owned(load(linked(ANCHOR_PROGRAM, 0, []), name), (fd) => {
    for (const map of maps) {
      const attributes = new Attributes(16).setU32(0, fd).setU32(4, map.fd);
      bpf(COMMAND.programBindMap, attributes, `bind the map ${map.shape.name} to the program ${name}`);
    }
    return describe(fd);
  });
}

/** @throws KernelError KERNEL_REFUSED with ENOENT if there is none, KERNEL_PERMISSION. */
export function programById(id: number): LoadedProgram {
  return owned(bpf(COMMAND.programById, new Attributes(16).setU32(0, id), `open the program ${id}`), describe);
}

const tags = new Map<LinkHeader, string>();

/**
 * The tag of the flow program that this version makes. It is the kernel's to say, since kernels differ in the digest:
 * the program is loaded once, with maps that are as small as can be. @throws KernelError as `loadFlowProgram`.
 */
export function flowProgramTag(linkHeader: LinkHeader): string {
  const known = tags.get(linkHeader);
  if (known !== undefined) return known;
  const made: BpfMap[] = [];
  try {
    const make = (shape: MapShape): BpfMap => {
      const map = BpfMap.create(shape);
      made.push(map);
      return map;
    };
    const shapes = FLOW_MAP_SHAPES(1);
    const maps: FlowMaps = {
      flows4: make(shapes.flows4),
      flows6: make(shapes.flows6),
      ports: make(shapes.ports),
      servers: make(shapes.servers),
      settings: make(shapes.settings),
    };
    const program = loadFlowProgram(maps, { linkHeader, name: "sluice_tag" });
    program.close();
    tags.set(linkHeader, program.tag);
    return program.tag;
  } finally {
    for (const map of made) map.close();
  }
}

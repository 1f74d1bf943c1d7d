/** The maps of one table: those of the flow program, and the state beside them. */
import type { IpFamily } from "../../model/ip.js";
import { BpfMap } from "./bpf-map.js";
import { FLOW_MAP_SHAPES, type FlowMaps } from "./bpf-program.js";
import { STATE_SHAPE } from "./state.js";

export interface TableMaps extends FlowMaps {
  readonly state: BpfMap;
}

export type MapName = keyof TableMaps;

/** Maps of a table that may have lost its anchor, and its state with it. */
export type FoundMaps = FlowMaps & { readonly state: BpfMap | undefined };

export const shapesOf = (maxFlows: number): Record<MapName, BpfMap["shape"]> => ({
  ...FLOW_MAP_SHAPES(maxFlows),
  state: STATE_SHAPE,
});

export const mapsIn = (maps: FoundMaps): readonly BpfMap[] => [
  maps.flows4,
  maps.flows6,
  maps.ports,
  maps.servers,
  maps.settings,
  ...(maps.state === undefined ? [] : [maps.state]),
];

export const flowMapOf = (maps: FlowMaps, family: IpFamily): BpfMap => (family === 4 ? maps.flows4 : maps.flows6);

export function closeMaps(maps: FoundMaps): void {
  for (const map of mapsIn(maps)) map.close();
}

/** Held by this process alone until an anchor holds them. @throws KernelError */
export function createMaps(maxFlows: number): TableMaps {
  const shapes = shapesOf(maxFlows);
  const made: BpfMap[] = [];
  const make = (name: MapName): BpfMap => {
    const map = BpfMap.create(shapes[name]);
    made.push(map);
    return map;
  };
  try {
    return {
      flows4: make("flows4"),
      flows6: make("flows6"),
      ports: make("ports"),
      servers: make("servers"),
      settings: make("settings"),
      state: make("state"),
    };
  } catch (error) {
    for (const map of made) map.close();
    throw error;
  }
}

/** Undefined where those of a flow program are not all among them. @throws KernelError */
export function openMaps(ids: readonly number[]): FoundMaps | undefined {
  const shapes = shapesOf(1);
  const opened = new Map<string, BpfMap>();
  try {
    for (const id of ids) {
      const map = BpfMap.byId(id);
      opened.get(map.shape.name)?.close();
      opened.set(map.shape.name, map);
    }
  } catch (error) {
    for (const map of opened.values()) map.close();
    throw error;
  }
  const of = (name: MapName): BpfMap | undefined => opened.get(shapes[name].name);
  const [flows4, flows6, ports, servers, settings] = [
    of("flows4"),
    of("flows6"),
    of("ports"),
    of("servers"),
    of("settings"),
  ];
  if (flows4 && flows6 && ports && servers && settings)
    return { flows4, flows6, ports, servers, settings, state: of("state") };
  for (const map of opened.values()) map.close();
  return undefined;
}

/** Whether they are as they would be made now. */
export function fits(maps: FoundMaps, maxFlows: number): boolean {
  const shapes = shapesOf(maxFlows);
  const same = (name: MapName): boolean => {
    const [found, wanted] = [maps[name]?.shape, shapes[name]];
    return (
      found === undefined ||
      (found.type === wanted.type &&
        found.keyLength === wanted.keyLength &&
        found.valueLength === wanted.valueLength &&
        found.maxEntries === wanted.maxEntries)
    );
  };
  return (Object.keys(shapes) as MapName[]).every(same);
}

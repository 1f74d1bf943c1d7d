/** The maps of a flow program, filled by hand: layouts as flow.bpf.c has them. */
import { BpfMap } from "../../../src/kernel/ebpf/bpf-map.js";
import { FLOW_MAP_SHAPES, type FlowMaps } from "../../../src/kernel/ebpf/bpf-program.js";
import { octetsOf } from "./packets.js";

export const CLASS = { signalling: 0x10002, voice: 0x10011, default: 0x1ffff } as const;
export const SIGNALLING_DSCP = 24;

export function makeMaps(maxFlows = 20_000): FlowMaps {
  const shapes = FLOW_MAP_SHAPES(maxFlows);
  return {
    flows4: BpfMap.create(shapes.flows4),
    flows6: BpfMap.create(shapes.flows6),
    ports: BpfMap.create(shapes.ports),
    servers: BpfMap.create(shapes.servers),
    settings: BpfMap.create(shapes.settings),
  };
}

export const closeMaps = (maps: FlowMaps): void => {
  for (const map of Object.values(maps)) map.close();
};

export function writeSettings(maps: FlowMaps): void {
  const value = Buffer.alloc(32);
  value.writeUInt32LE(CLASS.signalling, 0);
  value.writeUInt32LE(CLASS.default, 4);
  value.writeUInt8(SIGNALLING_DSCP, 8);
  maps.settings.set(Buffer.alloc(4), value);
}

export interface FlowSettings {
  readonly protocol?: number;
  readonly source: readonly [string, number];
  readonly destination: readonly [string, number];
  /** Octets a second and octets; generous by default. */
  readonly rate?: number;
  readonly depth?: number;
  readonly dscp?: number;
  readonly excess?: "drop" | number;
}

export function flowKey({ protocol = 17, source, destination }: FlowSettings): Buffer {
  const addresses = [octetsOf(source[0]), octetsOf(destination[0])];
  const rest = Buffer.alloc(8);
  rest.writeUInt16BE(source[1], 0);
  rest.writeUInt16BE(destination[1], 2);
  rest.writeUInt8(protocol, 4);
  return Buffer.concat([...addresses, rest]);
}

export function flowValue({ rate = 12_500_000, depth = 1_000_000, dscp = 46, excess = "drop" }: FlowSettings): Buffer {
  const value = Buffer.alloc(112);
  value.writeBigUInt64LE(BigInt(Math.round((depth * 1e9) / rate)), 8);
  value.writeBigUInt64LE((1_000_000_000n << 16n) / BigInt(rate), 16);
  value.writeUInt32LE(CLASS.voice, 24);
  value.writeUInt8(dscp, 28);
  value.writeUInt8(excess === "drop" ? 0 : excess, 29);
  value.writeUInt8(excess === "drop" ? 0 : 1, 30);
  return value;
}

const WORD = { exact: 0, any: 8, signalling: 16 } as const;

export function setPort(maps: FlowMaps, port: number, kind: keyof typeof WORD): void {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(port >> 6, 0);
  const word = Buffer.from(maps.ports.get(key) ?? []);
  word.writeBigUInt64LE(word.readBigUInt64LE(WORD[kind]) | (1n << BigInt(port & 63)), WORD[kind]);
  maps.ports.set(key, word);
}

export function addFlow(maps: FlowMaps, flow: FlowSettings): Buffer {
  const map = flow.source[0].includes(":") ? maps.flows6 : maps.flows4;
  const key = flowKey(flow);
  map.set(key, flowValue(flow), "new");
  setPort(maps, flow.destination[1], flow.source[1] === 0 ? "any" : "exact");
  return key;
}

export function addServer(maps: FlowMaps, address: string, port: number, protocol: number): void {
  const key = Buffer.alloc(20);
  octetsOf(address).copy(key, 0);
  key.writeUInt16BE(port, 16);
  key.writeUInt8(protocol, 18);
  key.writeUInt8(address.includes(":") ? 6 : 4, 19);
  maps.servers.set(key, Buffer.alloc(4));
  setPort(maps, port, "signalling");
}

export interface FlowCounts {
  readonly in: readonly [packets: number, octets: number];
  readonly out: readonly [packets: number, octets: number];
}

export function countsOf(maps: FlowMaps, key: Buffer): FlowCounts {
  const value = Buffer.from((key.length === 16 ? maps.flows4 : maps.flows6).get(key) ?? []);
  const number = (at: number): number => Number(value.readBigUInt64LE(at));
  return { in: [number(32), number(40)], out: [number(48), number(56)] };
}

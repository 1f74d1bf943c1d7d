/**
 * A pool's packets marked, and the same in a tunnel to the other edge: how many a router forwards, and what a call takes of
 * the wire, for each encapsulation that this kernel has.
 *
 * Rules, classes and tunnel stand on r1 of a - r1 - r2 - b, the tunnel's other end on r2, both made by the product. Senders
 * of marked and of tunnelled flows are stopped and let go in turn, 120 ms each. The whole path runs on their processor, in
 * their time, so packets are counted per second of its processor time.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { probeTunnelKinds } from "../src/kernel/link/kinds.js";
import { openLinuxKernel } from "../src/kernel/linux.js";
import type { DesiredState, FlowRule, KernelPort, Tunnel } from "../src/kernel/port.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { sessionIdOf } from "../src/model/session.js";
import { hasPorts, type TunnelKind, tunnelMtu, tunnelOverhead } from "../src/model/tunnel.js";
import { dscp, kilobitsPerSecond, octets } from "../src/model/units.js";
import { BENCH_STATE } from "./call.js";
import { median, printFigure, rounded } from "./figure.js";
import { buildPath, type Path } from "./forwarding-path.js";
import { secondsOf, workers } from "./processor-time.js";

const SLICE_MS = 120;
/** After one sender is stopped and another let go. */
const PAUSE_MS = 15;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 60);
/** Of each kind; destination ports, every second one. */
const FLOWS = 1000;
const FIRST_PORT = { marked: 16_384, tunnelled: 24_576 } as const;
const FIRST_SOURCE = 20_000;
const EGRESS = "r1b";
/** G.711 in packets of 20 ms. */
const CALL = { packetsPerSecond: 50, payload: 172, seconds: 5 };
const TUNNEL = 1;
/** Each carries its flows in a pool of its own, so that the classes count them apart. */
const POOL = { marked: 1, tunnelled: 2 } as const;
type Way = keyof typeof POOL;
const WAYS: readonly Way[] = ["marked", "tunnelled"];
const RATE = kilobitsPerSecond(3_000_000);

/** Generous, so that every packet is in profile. */
const flow = (way: Way, number: number): FlowRule => ({
  id: POOL[way] * FLOWS + number,
  session: sessionIdOf(`bench-${way}-${number}`, "tag"),
  key: {
    protocol: "udp",
    source: { address: "10.1.0.2", port: FIRST_SOURCE },
    destination: { address: "10.3.0.2", port: FIRST_PORT[way] + 2 * number },
  },
  dscp: dscp(46),
  pool: POOL[way],
  rate: kilobitsPerSecond(100_000),
  burst: octets(1500),
  outOfProfile: { action: "drop" },
  ...(way === "tunnelled" ? { tunnel: TUNNEL } : {}),
});

const tunnelOfKind = (kind: TunnelKind): Tunnel => ({
  id: TUNNEL,
  name: "bench",
  kind,
  local: "10.2.0.1",
  remote: "10.2.0.2",
  sourcePort: hasPorts(kind) ? 49_153 : 0,
  destinationPort: hasPorts(kind) ? 4789 : 0,
  mtu: tunnelMtu(kind, 4, octets(1500)),
});

function stateWith(tunnel: Tunnel): DesiredState {
  const flows = WAYS.flatMap((way) => Array.from({ length: FLOWS }, (_, number) => flow(way, number)));
  return {
    ...BENCH_STATE,
    interfaces: [
      {
        name: EGRESS,
        rate: kilobitsPerSecond(10_000_000),
        overhead: octets(0),
        signallingRate: kilobitsPerSecond(256),
      },
    ],
    pools: new Map(WAYS.map((way) => [POOL[way], { id: POOL[way], name: way, rate: RATE }])),
    tunnels: new Map([[tunnel.id, tunnel]]),
    flows: new Map(flows.map((rule) => [rule.id, rule])),
  };
}

async function farEnd(path: Path, tunnel: Tunnel): Promise<ChildProcess> {
  const program = fileURLToPath(new URL("tunnel-end.js", import.meta.url));
  const [command, ...args] = path.inside("r2");
  const mirrored = JSON.stringify({ ...tunnel, local: tunnel.remote, remote: tunnel.local });
  const end = spawn(command, [...args, process.execPath, program, mirrored], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve, reject) => {
    end.stdout?.once("data", resolve);
    end.once("exit", () => reject(new Error("the far end did not come up")));
  });
  return end;
}

type Rates = Readonly<Record<Way, number[]>>;

async function measureRates(path: Path, program: string): Promise<Rates> {
  const senders = WAYS.map((way) => path.sender(program, [FLOWS, FIRST_PORT[way], 1].map(String)));
  const pids = workers(senders.map(({ pid }) => pid ?? 0));
  const rates: Rates = { marked: [], tunnelled: [] };
  try {
    await wait(500);
    for (const sender of senders) sender.kill("SIGSTOP");
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, way] of WAYS.entries()) {
        senders[index]?.kill("SIGCONT");
        await wait(PAUSE_MS);
        const [packets, seconds] = [path.received(), secondsOf(pids)];
        await wait(SLICE_MS);
        rates[way].push((path.received() - packets) / (secondsOf(pids) - seconds));
        senders[index]?.kill("SIGSTOP");
      }
    }
  } finally {
    for (const sender of senders) sender.kill("SIGKILL");
  }
  return rates;
}

/** Octets a second that a call takes in each class, one direction, counted at layer 2. */
async function measureCall(kernel: KernelPort, path: Path, program: string): Promise<Readonly<Record<Way, number>>> {
  const sentOf = async (way: Way): Promise<{ readonly packets: number; readonly octets: number }> => {
    const sent = (await kernel.read()).classes.find(({ pool }) => pool === POOL[way])?.sent;
    if (sent === undefined) throw new Error(`there is no class for ${way} packets`);
    return sent;
  };
  const perCall = async (way: Way): Promise<number> => {
    const [before, received] = [await sentOf(way), path.received()];
    const [command, ...args] = path.inside("a");
    const sending = execa(command, [
      ...args,
      program,
      ...[FIRST_SOURCE, FIRST_PORT[way], CALL.packetsPerSecond, CALL.payload].map(String),
    ]);
    await wait(CALL.seconds * 1000);
    sending.kill("SIGTERM");
    const sent = Number((await sending).stdout);
    const after = await sentOf(way);
    const passed = after.packets - before.packets;
    if (passed !== sent || path.received() - received < sent) {
      throw new Error(`${sent} ${way} packets were sent, ${passed} went through the class`);
    }
    return ((after.octets - before.octets) / passed) * CALL.packetsPerSecond;
  };
  return { marked: await perCall("marked"), tunnelled: await perCall("tunnelled") };
}

const sorted = (values: readonly number[]): readonly number[] => values.toSorted((left, right) => left - right);

function report(kind: TunnelKind, { marked, tunnelled }: Rates, perCall: Readonly<Record<Way, number>>): void {
  const ratio = median(sorted(marked.map((rate, round) => (tunnelled[round] ?? Number.NaN) / rate)));
  const added = median(sorted(marked.map((rate, round) => 1e9 / (tunnelled[round] ?? Number.NaN) - 1e9 / rate)));
  printFigure({
    bench: "pools",
    figure: `forwarded in a ${kind} tunnel, taken out of it and delivered, against marked; ${Math.round(added)} ns a packet more`,
    value: Math.round(median(sorted(tunnelled))),
    unit: "packets per second of processor time",
    baseline: Math.round(median(sorted(marked))),
    ratio: rounded(ratio),
    goal: "half of marked",
    ok: ratio >= 0.5,
  });
  const expected = perCall.marked + tunnelOverhead(kind, 4) * CALL.packetsPerSecond;
  printFigure({
    bench: "pools",
    figure: `wire of a G.711 call in a ${kind} tunnel, each direction, layer 2, against marked`,
    value: Math.round(perCall.tunnelled),
    unit: "octets/s",
    baseline: Math.round(perCall.marked),
    ratio: rounded(perCall.tunnelled / perCall.marked),
    goal: `${tunnelOverhead(kind, 4)} octets a packet more, as admission counts`,
    ok: Math.round(perCall.tunnelled) === Math.round(expected),
  });
}

const folder = await mkdtemp(join(tmpdir(), "sluice-bench-"));
const [saturating, paced] = [join(folder, "sender"), join(folder, "paced-sender")];
await execa("cc", ["-O2", "-o", saturating, "bench/sender.c"]);
await execa("cc", ["-O2", "-o", paced, "bench/paced-sender.c"]);
const path = await buildPath();
const kernel = await openLinuxKernel({ table: "sluice", log: SILENT_LOGGER });
try {
  for (const kind of await probeTunnelKinds()) {
    const tunnel = tunnelOfKind(kind);
    const desired = stateWith(tunnel);
    await kernel.apply(desired, kernel.plan(desired, await kernel.read()));
    const far = await farEnd(path, tunnel);
    const rates = await measureRates(path, saturating);
    // What is in queues would be counted with the call.
    await wait(500);
    report(kind, rates, await measureCall(kernel, path, paced));
    far.kill("SIGTERM");
    await kernel.cleanup();
  }
} finally {
  await kernel.close();
  path.close();
  await rm(folder, { recursive: true });
}

/** Which kinds of tunnels this kernel has, tried in a scratch namespace by the commands that make them. */
import { KernelError } from "../../model/errors.js";
import { familyOf, type IpFamily } from "../../model/ip.js";
import { hasPorts, TUNNEL_KINDS, type TunnelKind } from "../../model/tunnel.js";
import { octets } from "../../model/units.js";
import type { Tunnel } from "../port.js";
import type { ProbeResult } from "../probe/outcome.js";
import { probe, type ScratchCommand, type ScratchRunner } from "../probe/scratch.js";
import { deviceCommands } from "./device.js";
import { fouPortOf } from "./fou-port.js";
import { TunnelNames } from "./names.js";

const ENDS: Readonly<Record<IpFamily, Pick<Tunnel, "local" | "remote">>> = {
  4: { local: "192.0.2.1", remote: "192.0.2.2" },
  6: { local: "2001:db8::1", remote: "2001:db8::2" },
};

/** What makes the kernel say whether it has a kind. @param outer - family of the tunnel's ends */
export function kindProbe(kind: TunnelKind, outer: IpFamily): ScratchCommand {
  const ports = hasPorts(kind) ? { sourcePort: 50_000, destinationPort: 6080 } : { sourcePort: 0, destinationPort: 0 };
  const sample: Tunnel = { id: 1, name: "probe", kind, ...ENDS[outer], ...ports, mtu: octets(1280) };
  const port = fouPortOf(sample);
  const lines = [
    // Not connected: a scratch namespace has no addresses.
    ...(port === undefined ? [] : [`fou add port ${port.port} gue`]),
    ...deviceCommands(new TunnelNames("probe"), sample),
  ];
  const family = outer === 6 ? ["-6"] : [];
  return { tool: "ip", args: [...family, "-batch", "-"], input: `${lines.join("\n")}\n` };
}

export type KindProbes = ReadonlyMap<TunnelKind, ProbeResult>;

/**
 * Loads the modules of all kinds. Never rejects.
 * @param outer - family of the tunnels' ends
 */
export async function tryTunnelKinds(outer: IpFamily = 4, run?: ScratchRunner): Promise<KindProbes> {
  const results = TUNNEL_KINDS.map(async (kind) => [kind, await probe(kindProbe(kind, outer), run)] as const);
  return new Map(await Promise.all(results));
}

/**
 * The kinds that this kernel has, the smallest overhead first. Loads the modules of all kinds. Never rejects; none are
 * told where nothing can be tried.
 * @param outer - family of the tunnels' ends
 */
export async function probeTunnelKinds(outer: IpFamily = 4, run?: ScratchRunner): Promise<readonly TunnelKind[]> {
  const probes = await tryTunnelKinds(outer, run);
  return TUNNEL_KINDS.filter((kind) => probes.get(kind)?.outcome === "supported");
}

/** Refuses what the kernel has not; remembers what it has. */
export class KindCheck {
  readonly #run: ScratchRunner | undefined;
  readonly #known = new Set<string>();

  constructor(run?: ScratchRunner) {
    this.#run = run;
  }

  /**
   * Where it cannot be tried, the kernel is to say itself when the tunnel is made.
   * @throws KernelError KERNEL_UNSUPPORTED, naming the kinds that there are.
   */
  async check(tunnels: Iterable<Tunnel>): Promise<void> {
    for (const { id, name, kind, local } of tunnels) {
      const outer = familyOf(local) ?? 4;
      if (this.#known.has(`${kind} ${outer}`)) continue;
      const { outcome, evidence } = await probe(kindProbe(kind, outer), this.#run);
      if (outcome === "missing in kernel" || outcome === "missing in tool") {
        const there = await probeTunnelKinds(outer, this.#run);
        throw kindMissing(`tunnel ${id} "${name}"`, kind, outcome, evidence, there);
      }
      this.#known.add(`${kind} ${outer}`);
    }
  }
}

function kindMissing(
  object: string,
  kind: TunnelKind,
  outcome: string,
  evidence: string,
  there: readonly TunnelKind[],
): KernelError {
  const why = there.length === 0 ? "no kind of tunnel is there" : `the kinds that are there: ${there.join(", ")}`;
  return new KernelError(
    "KERNEL_UNSUPPORTED",
    `${object}: ${kind} is ${outcome}; ${why}`,
    { operation: `check ${object}`, errno: "EOPNOTSUPP", stderr: evidence },
    { remedy: there[0] === undefined ? KERNEL_REMEDY : `choose ${there.join(" or ")}, or ${KERNEL_REMEDY}` },
  );
}

const KERNEL_REMEDY = "boot a kernel that has it: apt-get install linux-image-$(dpkg --print-architecture)";

/** What a router's configuration says of the kernel: which part of it carries the router out, and what is wanted whatever is decided. */
import type { RouterConfig } from "../config/router.js";
import { openKernel } from "../kernel/open.js";
import type { KernelPort, LocalState } from "../kernel/port.js";
import type { Logger } from "../model/log.js";
import { dscpOf } from "../model/phb.js";

/** @throws KernelError */
export function openRouterKernel({ kernel }: RouterConfig, log: Logger): Promise<KernelPort> {
  const { backend, programming, table, maxFlows } = kernel;
  return openKernel({ backend, programming, table, maxFlows, log });
}

export function localState({ kernel, signalling }: RouterConfig): LocalState {
  return {
    interfaces: kernel.interfaces.map(({ name, rate, overhead, mpu, linkLayer, signalling: signallingRate }) => ({
      name,
      rate,
      overhead,
      signallingRate,
      ...(mpu === undefined ? {} : { mpu }),
      ...(linkLayer === undefined ? {} : { linkLayer }),
    })),
    signalling: signalling.servers.map(({ protocol, port, addresses }) => ({ protocol, port, servers: addresses })),
    signallingDscp: dscpOf(signalling.phb),
  };
}

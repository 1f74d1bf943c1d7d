/** What a router's configuration says of the kernel: which part of it carries the router out, and what is wanted whatever is decided. */
import type { RouterConfig } from "../config/router.js";
import { MOST_POOL } from "../kernel/dsmark/slots.js";
import { openKernel } from "../kernel/open.js";
import type { BackendInfo, KernelPort, LocalState } from "../kernel/port.js";
import type { Logger } from "../model/log.js";
import { dscpOf } from "../model/phb.js";
import { type PoolRange, RESERVED_POOLS } from "../pep/router/rsvp/reserved-pools.js";

/** Of the 494 that DSMARK has room for. */
const DSMARK_RESERVED = 128;

/** @throws KernelError */
export function openRouterKernel({ kernel }: RouterConfig, log: Logger): Promise<KernelPort> {
  const { backend, programming, table, maxFlows } = kernel;
  return openKernel({ backend, programming, table, maxFlows, log });
}

/** For classes of reservations that pass: DSMARK has few numbers, and the policy server's are the small ones. */
export const reservedPools = ({ name }: BackendInfo): PoolRange =>
  name === "dsmark" ? { first: MOST_POOL + 1 - DSMARK_RESERVED, last: MOST_POOL } : RESERVED_POOLS;

export function localState({ kernel, signalling, rsvp }: RouterConfig): LocalState {
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
    ...(rsvp === undefined ? {} : { rsvp: true }),
  };
}

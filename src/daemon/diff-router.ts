/** `sluice diff -c FILE` while no router runs: what starting it would change. */
import type { RouterConfig } from "../config/router.js";
import type { DiffView } from "../control/views.js";
import type { Logger } from "../model/log.js";
import { diffKernel } from "./kernel-diff.js";
import { localState, openRouterKernel } from "./router-kernel.js";

/**
 * The configured structure against the kernel. Sessions, pools and tunnels stay as they are found, as when a router starts.
 * @throws KernelError
 */
export async function diffRouter(config: RouterConfig, render: boolean, log: Logger): Promise<DiffView> {
  const kernel = await openRouterKernel(config, log);
  try {
    const { pools, tunnels, flows } = await kernel.read();
    const kept = new Map([...flows].map(([id, { rule }]) => [id, rule]));
    return await diffKernel(kernel, { ...localState(config), pools, tunnels, flows: kept }, render);
  } finally {
    await kernel.close();
  }
}

/** What `apply` and `cleanup` would run, in order; nothing is changed. */
import type { Classifier } from "./classifier.js";
import type { Tunnels } from "./link/tunnels.js";
import type { ChangeSteps } from "./plan.js";
import type { DesiredState, PoolClass, RenderedStep } from "./port.js";
import type { Queueing } from "./queueing.js";

interface Parts {
  readonly classifier: Classifier;
  readonly trees: Pick<Queueing<unknown>, "check" | "render" | "renderRemove">;
  readonly tunnels?: Tunnels;
}

const NO_STEPS: ChangeSteps = {
  structure: false,
  tunnelSets: [],
  poolSets: [],
  removes: [],
  adds: [],
  poolRemoves: [],
  tunnelRemoves: [],
};

const tcSteps = (input: string): readonly RenderedStep[] =>
  input === "" ? [] : [{ tool: "tc", args: ["-batch", "-"], input }];

/**
 * Each step is told as it will be after the ones before it. What `apply` would refuse is refused here, too.
 * @throws KernelError
 */
export async function renderChanges(
  { classifier, trees, tunnels }: Parts,
  desired: DesiredState,
  steps: ChangeSteps,
): Promise<readonly RenderedStep[]> {
  const rendered: RenderedStep[] = [];
  let made: readonly PoolClass[] | undefined;
  const classify = async (part: Partial<ChangeSteps>): Promise<void> => {
    rendered.push(...(await classifier.render(desired, { ...NO_STEPS, ...part })));
  };
  const queue = async (pools: readonly PoolClass[]): Promise<void> => {
    rendered.push(...tcSteps(await trees.render(desired.interfaces, pools, made)));
    made = pools;
  };
  if (steps.structure) {
    await trees.check(desired.interfaces);
    await classifier.check();
  }
  const before = await classifier.pools();
  const after = [...new Map([...before, ...steps.poolSets].map((pool) => [pool.id, pool])).values()];
  const gone = new Set(steps.poolRemoves.map(({ id }) => id));
  if (steps.structure) {
    await classify({ structure: true });
    await queue(before);
  }
  rendered.push(...((await tunnels?.render(steps.tunnelSets, [])) ?? []));
  if (steps.poolSets.length > 0) {
    await queue(after);
    await classify({ poolSets: steps.poolSets });
  }
  await classify({ removes: steps.removes, adds: steps.adds });
  if (steps.poolRemoves.length > 0) {
    await classify({ poolRemoves: steps.poolRemoves });
    await queue(after.filter(({ id }) => !gone.has(id)));
  }
  const tunnelsGone = steps.tunnelRemoves.map(({ id }) => id);
  rendered.push(...((await tunnels?.render([], tunnelsGone)) ?? []));
  return rendered;
}

export const renderRemoval = async ({ classifier, trees, tunnels }: Parts): Promise<readonly RenderedStep[]> => [
  ...((await tunnels?.renderRemoveAll()) ?? []),
  ...tcSteps(await trees.renderRemove()),
  ...(await classifier.renderRemove()),
];

/**
 * The half of a back end that recognises flows, polices and counts them and points them to their class; the other half
 * is the queueing of the interfaces (`tc/`). `LinuxKernel` puts the two together and keeps the order between them.
 */
import type { FlowCounters } from "../model/usage.js";
import type { ChangeSteps, FlowAddition } from "./plan.js";
import type {
  BackendInfo,
  DesiredState,
  FlowId,
  FlowRule,
  ManagedInterface,
  ObservedFlow,
  PoolClass,
  RenderedStep,
} from "./port.js";

/** What the structure was made for, as the kernel itself keeps it over our restart. */
export interface StructureState {
  readonly structureId: string | undefined;
  readonly interfaces: readonly ManagedInterface[];
}

export interface ClassifierContents {
  readonly state: StructureState;
  /** Whether everything but pools and flows is as we made it, and nothing is among them that is no whole flow. */
  readonly intact: boolean;
  readonly pools: readonly PoolClass[];
  readonly flows: ReadonlyMap<FlowId, ObservedFlow>;
}

export interface Classifier {
  readonly backend: BackendInfo;
  /** What this back end cannot do, before anything is touched. @throws KernelError KERNEL_UNSUPPORTED with the reason. */
  refuse(desired: DesiredState, steps: ChangeSteps): void;
  read(): Promise<ClassifierContents>;
  pools(): Promise<readonly PoolClass[]>;
  /** That `install` can be done. @throws KernelError for what is there under our names and not ours. */
  check(): Promise<void>;
  /** Makes the structure, or mends it in place; pools and flows stay, counters too. */
  install(desired: DesiredState): Promise<void>;
  /** In one step: `gone` no longer, `come` instead, with what they carry. @param links those that are managed. */
  changePools(
    gone: readonly PoolClass[],
    come: readonly PoolClass[],
    links: readonly ManagedInterface[],
  ): Promise<void>;
  /** All or nothing. Gives the final counters of what was removed. */
  changeFlows(removes: readonly FlowRule[], adds: readonly FlowAddition[]): Promise<ReadonlyMap<FlowId, FlowCounters>>;
  counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>>;
  /** Everything of ours and nothing else; no error if there is none. */
  remove(): Promise<void>;
  /** What these steps would run, in order; nothing is changed. */
  render(desired: DesiredState, steps: ChangeSteps): Promise<readonly RenderedStep[]>;
  renderRemove(): Promise<readonly RenderedStep[]>;
  close(): Promise<void>;
}

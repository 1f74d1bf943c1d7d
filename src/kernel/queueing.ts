/**
 * The half of a back end that guarantees rates on the interfaces; the other half, which sends packets to their classes,
 * is the classifier. `LinuxKernel` puts the two together and keeps the order between them.
 */
import type { ManagedInterface, ObservedClass, ObservedInterface, PoolClass } from "./port.js";

/** @typeParam Found what the kernel held when it was read: opaque to the caller. */
export interface Queueing<Found> {
  /** One sentence: what it uses, and why this was chosen. */
  readonly detail: string;
  /** What the kernel holds of ours, on whatever interface; `links` are looked at more closely. */
  read(links: readonly ManagedInterface[]): Promise<Found>;
  /** That those of `links` that are there can be managed, before anything is touched. @throws KernelError KERNEL_FOREIGN_QDISC. */
  check(links: readonly ManagedInterface[]): Promise<void>;
  /** Whether every interface that is there has what it should have, and no other has anything of ours. */
  matches(found: Found, links: readonly ManagedInterface[], pools: readonly PoolClass[]): boolean;
  /** Changes what differs and nothing else. Interfaces that are absent are left out, also those that go away meanwhile. */
  reconcile(links: readonly ManagedInterface[], pools: readonly PoolClass[]): Promise<void>;
  /** Takes away everything of ours and nothing else; no error if there is none. */
  remove(): Promise<void>;
  classesIn(found: Found): readonly ObservedClass[];
  interfacesIn(found: Found, links: readonly ManagedInterface[]): readonly ObservedInterface[];
  /**
   * Exactly what `reconcile` would give `tc -batch`, one command a line; empty where nothing is to be done.
   * @param from as if it had been made for these pools already.
   */
  render(links: readonly ManagedInterface[], pools: readonly PoolClass[], from?: readonly PoolClass[]): Promise<string>;
  renderRemove(): Promise<string>;
}

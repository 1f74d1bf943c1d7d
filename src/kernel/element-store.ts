/** The elements of one nf_tables table, however they are reached: by netlink, or by nft as text. */
import type { EchoedElement, ElementChange } from "./netlink/nf-tables.js";
import type { SetElement } from "./netlink/set-element.js";

export interface ElementStore {
  /** Most element changes that one transaction may carry. */
  readonly transactionLimit: number;
  /**
   * All or nothing; what goes, goes first, so that a key may pass to what comes. Gives every deleted element as it was
   * when it went, counters included.
   * @throws KernelError naming the first refused object and the errno.
   */
  transact(changes: readonly ElementChange[]): Promise<readonly EchoedElement[]>;
  /** Every element of a set; none if there is no such set. */
  dump(set: string): Promise<readonly SetElement[]>;
  /**
   * The same, told one by one instead of kept: a hundred thousand take fifty megabytes. Where changes fall into it, an element
   * may be told more than once, and one that went meanwhile, too.
   */
  visit(set: string, take: (element: SetElement) => void): Promise<void>;
  /** Undefined if it is not there. */
  get(set: string, key: Buffer): Promise<SetElement | undefined>;
  close(): Promise<void> | void;
}

/** What RSVP has to know of the machine's network; the composition root has the kernel say it. */
import type { IpAddress, IpPrefix } from "../../../model/ip.js";
import type { BitsPerSecond, Octets } from "../../../model/units.js";
import type { Route } from "../../../rsvp/machine/state.js";

/** An interface that carries packets now. */
export interface LocalInterface {
  readonly name: string;
  /** The kernel's number of it, not 0. */
  readonly index: number;
  readonly mtu: Octets;
  /** Link-local ones of IPv6 are left out: they are no end of a session. */
  readonly addresses: readonly IpAddress[];
  /** Layer 2; absent where the device tells none that means anything. */
  readonly speed?: BitsPerSecond;
}

/** What may be another than before. */
export type NetworkChange =
  | { readonly what: "everything" }
  /** Ways to addresses in the prefix. */
  | { readonly what: "routes"; readonly to: IpPrefix };

export interface NetworkFollower {
  /** False while changes may be missed. */
  readonly isListening: boolean;
  close(): Promise<void>;
}

export interface NetworkView {
  /** @throws SystemError */
  interfaces(): Promise<readonly LocalInterface[]>;
  /** Where the kernel sends to each; one that is left out is reached by no way. @throws SystemError */
  routes(destinations: readonly IpAddress[]): Promise<ReadonlyMap<IpAddress, Route>>;
  /** Tells of each change, perhaps of one too many. Absent: nobody does, and one has to look. */
  follow?(changed: (change: NetworkChange) => void): NetworkFollower;
}

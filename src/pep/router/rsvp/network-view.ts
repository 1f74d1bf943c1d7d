/** What RSVP has to know of the machine's network; the composition root has the kernel say it. */
import type { IpAddress } from "../../../model/ip.js";
import type { Octets } from "../../../model/units.js";
import type { Route } from "../../../rsvp/machine/state.js";

/** An interface that carries packets now. */
export interface LocalInterface {
  readonly name: string;
  /** The kernel's number of it, not 0. */
  readonly index: number;
  readonly mtu: Octets;
  /** Link-local ones of IPv6 are left out: they are no end of a session. */
  readonly addresses: readonly IpAddress[];
}

export interface NetworkView {
  /** @throws SystemError */
  interfaces(): Promise<readonly LocalInterface[]>;
  /** Where the kernel sends to each; one that is left out is reached by no way. @throws SystemError */
  routes(destinations: readonly IpAddress[]): Promise<ReadonlyMap<IpAddress, Route>>;
}
